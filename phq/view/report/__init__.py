"""The report: one page that shows what a dataset holds, and pictures of its figures. ``phq report``."""
