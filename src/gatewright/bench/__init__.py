"""How fast each cell is on this machine, beside torch and other libraries.

``cases`` says what is measured and what is to be reached, ``peers`` and the two modules beside it
who else runs it, ``checking`` who may be timed at all, ``measuring`` how; ``running`` goes through
the cases, and ``results``, ``table`` and ``chart`` hold and show what came out. Importing this
package loads nothing: torch is imported by the modules that need it.
"""
