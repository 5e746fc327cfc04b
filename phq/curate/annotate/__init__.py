"""Labels made again beside the shards, compared, and folded into new shards."""
