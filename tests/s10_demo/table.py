"""To be written."""

from checker.table import Table

TABLE = Table(checks=(), uses=("config", "model", "tokenizer", "generator"))
