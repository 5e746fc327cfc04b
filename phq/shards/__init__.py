"""The dataset on disk: WebDataset shards, the tables beside them, the card, and what writes them."""
