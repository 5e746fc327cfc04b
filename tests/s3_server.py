"""A real S3 server in this process (moto's), on a port of its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

import boto3
from moto.server import ThreadedMotoServer


@contextmanager
def s3_bucket(name: str) -> Iterator[str]:
    """URL of a new bucket; fsspec and boto3 find the server by the environment, in this process and its children."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    here = {"AWS_ENDPOINT_URL": f"http://{host}:{port}", "AWS_DEFAULT_REGION": "us-east-1"}
    keys = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
    with mock.patch.dict("os.environ", {**here, **keys}):
        try:
            boto3.client("s3").create_bucket(Bucket=name)
            yield f"s3://{name}"
        finally:
            server.stop()
