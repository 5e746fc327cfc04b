"""The review page: people mark samples; the marks are a log, an overlay, and evidence for thresholds."""
