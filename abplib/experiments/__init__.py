"""The paper's experiments as commands: ``python -m abplib.experiments NAME ...``."""
