# docker build --tag bakeoff .
# docker run --rm --volume "$PWD:/work" bakeoff run dataset=csv dataset.path=plays.csv dataset.user=user dataset.item=item
FROM python:3.12-slim-bookworm AS build
RUN apt-get update && apt-get install --yes --no-install-recommends build-essential && rm -rf /var/lib/apt/lists/*
# Without it LightFM is compiled for the processor of the machine that builds the image, and dies on an older one.
ENV LIGHTFM_NO_CFLAGS=1
COPY . /source
RUN python -m venv /opt/bakeoff \
 && /opt/bakeoff/bin/pip install --no-cache-dir --constraint /source/constraints/run.txt /source

FROM python:3.12-slim-bookworm
RUN apt-get update && apt-get install --yes --no-install-recommends libgomp1 && rm -rf /var/lib/apt/lists/* \
 && useradd --create-home bakeoff
COPY --from=build /opt/bakeoff /opt/bakeoff
ENV PATH=/opt/bakeoff/bin:$PATH
USER bakeoff
WORKDIR /work
ENTRYPOINT ["bakeoff"]
CMD ["--help"]
