"""Scores of a stored image, the table of reasons, and the pure decision made from both."""
