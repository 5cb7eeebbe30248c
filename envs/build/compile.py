"""Compiles modules: one line of "source TAB target TAB name" in, one "+" or "-" out.

The result is not checked against the source when it is loaded (PEP 552), so that it depends on neither path nor time and can
be shared by all environments that hold the same source.
"""
import sys
from py_compile import PycInvalidationMode, compile

sys.setrecursionlimit(4000)
for line in sys.stdin.buffer:
    source, target, name = line.decode("utf-8", "surrogateescape").rstrip("\n").split("\t")
    try:
        compile(source, target, name, doraise=True, invalidation_mode=PycInvalidationMode.UNCHECKED_HASH, optimize=0)
        told = b"+\n"
    except (Exception, RecursionError, MemoryError):  # templates, modules of other versions: nobody imports them
        told = b"-\n"
    sys.stdout.buffer.write(told)
    sys.stdout.buffer.flush()
