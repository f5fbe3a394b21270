"""The help of each command; names are read from the configuration folder, so that they are always true."""

from __future__ import annotations

from bakeoff import __version__, config_files

HYDRA_VERBS = ("run", "plan", "describe")
"""Commands that take Hydra's words."""

VERBS = (*HYDRA_VERBS, "report", "export", "compare", "recommend", "verify", "completion")


def overview() -> str:
    return f"""bakeoff {__version__}: which recommender ranks best on your interactions, on equal terms.

  bakeoff run         run a grid of data set x split x model x seed; only what is missing is run
  bakeoff plan        what a run would do, what is stored, how long it would take; runs nothing
  bakeoff describe    what the data look like, whole and under each split
  bakeoff report      build an experiment's reports again, also for other k and metrics; fits nothing
  bakeoff export      train, test and lists as plain tables
  bakeoff compare     is A really better than B, for whom, and by enough to ship it (--gate)
  bakeoff recommend   what each model recommends to a user, to a newcomer, or beside an item
  bakeoff verify      recompute every number of an experiment by independent code
  bakeoff completion  shell completion: eval "$(bakeoff completion bash)"

Start here:

  bakeoff run                                     the embedded simulated data, one model and its baselines
  bakeoff run model=popularity,als,warp split=random,temporal seed=1,2,3
  bakeoff run dataset=csv dataset.path=plays.csv dataset.user=who dataset.item=what dataset.value=count \\
      model=popularity,itemknn_cosine,als,warp

`bakeoff COMMAND --help` says more. Exit codes: 0 every cell done or skipped, 1 some failed, 2 the command,
the configuration or the data were wrong (one line says what), 130 interrupted; compare --gate: 0 promoted,
3 rejected, 4 undecided."""


def of(verb: str) -> str:
    """The help of one verb."""
    text = {"run": _RUN, "plan": _PLAN, "describe": _DESCRIBE, "report": _REPORT, "export": _EXPORT}
    text |= {"compare": _COMPARE, "recommend": _RECOMMEND, "verify": _VERIFY, "completion": _COMPLETION}
    return text[verb] + (_names() if verb in HYDRA_VERBS else "")


def _names() -> str:
    lines = ["", "Names (add your own with --config-dir DIR, in the same sub-folders):"]
    for group in config_files.groups():
        names = config_files.options(group)
        if names:
            lines += _folded(group, names)
    return "\n".join(lines)


def _folded(group: str, names: list[str]) -> list[str]:
    lines, line = [], f"  {group + '=':<13}"
    for name in names:
        if len(line) + len(name) > 100:
            lines.append(line.rstrip())
            line = " " * 15
        line += name + ", "
    return [*lines, line.rstrip(", ")]


_RUN = """bakeoff run [key=value ...]      run what is missing of a grid, then write its reports

Commas make a grid: every combination is a cell, k is not an axis (all k come from one fit).

  bakeoff run dataset=ml_100k model=als split=random                      one cell and its baselines
  bakeoff run model=popularity,als,warp split=random,temporal seed=1,2,3 'k=[5,10,20,30]' name=first
  bakeoff run model=als model.build.factors=32,64,128                     one model's knobs
  bakeoff run experiment=NAME                                             a preset

Keys:
  name=NAME           of the experiment: results go to <results_dir>/NAME (default: the data set's name);
                      a known name gets more cells, fresh=true starts it anew
  k=[5,10,20,30]      cutoffs; depth=100 is the length of the stored lists
  seed=1              of the model; split_seed=42 of the split; both may be swept
  baselines=[popularity,random]   cells of every grid
  tune=optuna         tune every model that has a space under one budget: tune.trials=50, tune.seconds=,
                      tune.metric=ndcg@10, tune.objectives=, tune.sampler=tpe|random|qmc|cmaes|grid, ...
  params_from=KEY     the final hyperparameters of a stored cell (or NAME/MODEL), for a model of its class
  workers=1           cells at once; isolate=true, time_limit=SECONDS, memory_limit=MB for each cell
  save_model=true     keep the fitted models with their cells (arrays, never code), for `bakeoff recommend`
  rerun=true          run again what is stored; debug=true stops at the first error with its traceback
  statistics.test=t   or randomization, wilcoxon: what is marked as not distinguishable from the best
  results_dir=DIR     default ./results; the store is <results_dir>/store
  mlflow=URI          log every cell to MLflow as well (an extra: pip install 'bakeoff[mlflow]')

A stored cell is not run again; one that failed is. Stop it whenever you like: the same command goes on.
"""

_PLAN = """bakeoff plan [key=value ...]     what `bakeoff run` with the same words would do; writes nothing

  bakeoff plan model=als,warp split=random,temporal seed=1,2,3

What a model will skip is said where the configuration or the store tells it; no data are read for that.
"""

_DESCRIBE = """bakeoff describe [key=value ...] what the data look like, before anyone spends an hour on them

  bakeoff describe dataset=ml_100k split=random,temporal
"""

_REPORT = """bakeoff report NAME [k=[5,50]] [metrics=[ndcg,recall]] [results_dir=DIR]

Builds <results_dir>/NAME/report.md, .tex, .html, metrics.csv and cells.csv again from the store and prints
the tables. Any k up to the depth of the stored lists and any metric can be asked for; nothing is fitted.
mlflow=URI logs what is not logged yet.
A metric of your own is an import path: metrics=[ndcg,my_metrics.mine]
statistics.test=t|randomization|wilcoxon and statistics.correction=holm|bh decide what is marked as not
distinguishable from the best.
"""

_EXPORT = """bakeoff export KEY|NAME --to DIR [results_dir=DIR]

Writes train.parquet and test.parquet (user, item[, value, time]) and lists.parquet (user, item, rank, score)
in your own ids: what anybody needs to measure a cell with another library. KEY stands in cells.csv; a NAME
exports every cell of the experiment to DIR/KEY/. A folder is written whole or not at all; an earlier export
in it is replaced, anything else is refused.

bakeoff export KEY|NAME/MODEL --preset my_conf/model/mine.yaml writes the cell's model with its final (tuned)
hyperparameters as a YAML of your own: bakeoff run --config-dir my_conf model=mine
"""

_COMPARE = """bakeoff compare A B [key=value ...]  is the candidate A better than the baseline B, and for whom

  bakeoff compare als warp name=first                     two models of an experiment
  bakeoff compare c0123456789abcde cfedcba987654321       two cells (key in cells.csv), on one split
  bakeoff compare new_run old_run                         two experiments: models of one name, same splits
  bakeoff compare als warp name=first --gate ndcg@10 --tolerance 0.002

Prints differences (A less B) with intervals, p-values corrected within their family, wins / ties / losses by
user; then, of every split by itself, the segments of users in which the sign flips, and the users with the
largest changes with both lists.

Keys:
  --gate METRIC@K     exit code 0 PROMOTED: the interval of the difference lies above +tolerance; 3 REJECTED:
                      below -tolerance; 4 UNDECIDED. Above is better: of a metric where lower is better the
                      sign is turned. Of several comparisons all must be promoted; one rejected rejects
  --tolerance 0       0 or more, in the metric's own unit
  name=NAME           experiment of the models (may be left out where results_dir holds one alone)
  dataset=, split=    where the experiment has several
  k=[10], metrics=[ndcg,recall]   what is compared; without: k=10, and all that was measured
  users=3             users with the largest gains, and with the largest losses, shown of each split
  statistics.test=randomization   or t, wilcoxon; over several splits always the corrected resampled t-test
  statistics.correction=holm      or bh; statistics.resamples=10000, .seed=0, .confidence=0.95
  results_dir=DIR     default ./results
"""

_RECOMMEND = """bakeoff recommend NAME --user ID | --items A,B,C | --similar-to ITEM      results_dir=DIR

What each model of an experiment recommends, side by side, with the user's history, hits and overlap.

  bakeoff recommend first --user 196                    from the stored lists
  bakeoff recommend first --items 50,172,181 k=5        to a newcomer who had these items
  bakeoff recommend first --similar-to 50 models=als,ease

Ids are those of your data; one that holds a comma stands in double quotes. --items and --similar-to ask the
fitted models: they need cells that were run with save_model=true. Who cannot answer is named with the reason.

Keys:
  k=10                          length of the lists
  models=A,B                    these models alone
  dataset=, split=              where the experiment has several; split_seed=, fold=, seed= likewise
  --format csv|json, --to FILE  in place of the tables
"""

_VERIFY = """bakeoff verify NAME [references=[ranx,recommenders,sklearn]] [results_dir=DIR]

Recomputes every number of <results_dir>/NAME/metrics.csv, and the values by user, from the stored lists,
ranks and splits, by code that shares none with the evaluation: a plain formula for each metric, and the
libraries whose formula is the same where they are installed (pip install 'bakeoff[verify]'). Looks at the
lists themselves too: nothing seen in train, no repeats, ranks that fit, splits with their fingerprints.

Exit code 0 if all agree to 1e-9 (relative above 1), 1 if something differs: each is named by cell and metric.
"""

_COMPLETION = """bakeoff completion bash          prints a script; eval "$(bakeoff completion bash)" completes
                                commands, groups and their names
"""
