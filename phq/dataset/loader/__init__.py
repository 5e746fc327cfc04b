"""Training with torch: `Loader` gives batches of a `phq.Dataset`, in an order that can be resumed anywhere."""

from phq.errors import MissingExtraError

try:
    from phq.dataset.loader.loader import Loader
except ModuleNotFoundError as error:
    if error.name != "torch":
        raise
    raise MissingExtraError("torch", "train", "phq.dataset.loader") from error

__all__ = ["Loader"]
