"""Hopyard's helper: py-rattler behind JSON lines.

One request a line on standard input, one message a line on standard output:

    {"id": 7, "op": "solve", ...}            asks
    {"id": 7, "event": "link", ...}          tells how far it is
    {"id": 7, "result": {...}}               is the answer
    {"id": 7, "failure": {"cause": "unsatisfiable", "message": "...", ...}}
    {"id": 8, "op": "cancel", "of": 7}       takes a request back; 7 is then answered with the cause "canceled"

The first line is the configuration. Standard error is free text. Requests run side by side. The helper ends with its input.

Records of packages are long, and the same ones come again and again. So each is sent once, with a number, and is its number
from then on, in both directions: "new" holds the records that the other side has not seen yet. Numbers are good for one
generation; a channel that is read afresh begins the next, because its records may have been mended.

No address leaves the helper with a password or a token in it.

Only solving and searching ask hosts. Archives of packages are downloaded by the other side: unpacking puts them into the cache
once checking has looked at them, and installing has what is in the cache put into a prefix.

The modules: loop takes requests and answers them on the output of speech. Records travel by records, errors of py-rattler become
what people read in failures. A process solves or installs and seldom does both, so that loop loads what an operation needs with
its first request.
"""
