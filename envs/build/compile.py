"""Compiles modules: one line of "source TAB target TAB name" in, one "+" or "-" out.

The result is not checked against the source when it is loaded (PEP 552), so that it depends on neither path nor time and can
be shared by all environments that hold the same source. It is what py_compile would write, but py_compile takes longer to
import than most modules take to compile.
"""
import _imp
import marshal
import sys
from _frozen_importlib_external import MAGIC_NUMBER

UNCHECKED_HASH = (1).to_bytes(4, "little")
KEY = int.from_bytes(MAGIC_NUMBER, "little")

sys.setrecursionlimit(4000)
for line in sys.stdin.buffer:
    source, target, name = line.decode("utf-8", "surrogateescape").rstrip("\n").split("\t")
    try:
        with open(source, "rb") as file:
            text = file.read()
        code = marshal.dumps(compile(text, name, "exec", dont_inherit=True, optimize=0))
    except Exception:  # templates, modules of other versions: nobody imports them
        told = b"-\n"
    else:
        with open(target, "xb") as file:
            file.write(MAGIC_NUMBER + UNCHECKED_HASH + _imp.source_hash(KEY, text) + code)
        told = b"+\n"
    sys.stdout.buffer.write(told)
    sys.stdout.buffer.flush()
