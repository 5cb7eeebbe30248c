"""How the helper reaches hosts."""

from rattler.networking.client import Client


def client(timeout=None):
    """A client that tries again after faults that pass, and that knows the credentials of RATTLER_AUTH_FILE."""
    return Client.default_client(max_retries=3, user_agent="hopyard", timeout=timeout)
