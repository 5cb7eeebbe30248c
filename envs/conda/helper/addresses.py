"""Addresses without the credentials that they may carry, as "user:password@" or as "/t/token/"."""

import re

SECRETS = re.compile(r"(?<=://)[^/\s]*@|(?<=/t/)[^/\s]+")


def clean(text):
    """text without the credentials of the addresses in it."""
    return SECRETS.sub(lambda found: "" if found[0].endswith("@") else "<TOKEN>", text)


def bare(address):
    """An address that works without its credentials: they come from the file of credentials."""
    return re.sub(r"/t/[^/]+/", "/", re.sub(r"://[^/@]+@", "://", address, count=1), count=1)
