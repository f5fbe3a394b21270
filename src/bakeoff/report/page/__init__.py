"""What the HTML page holds, and the charts that stand beside the Markdown."""
