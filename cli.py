"""``python cli.py build …`` from a checkout; the installed command is ``phq``."""

from phq.cli import main

if __name__ == "__main__":
    main()
