"""From a cell's equations to code: derivatives, the plan of a kernel, a printer for each target.

Standard library only, as the language: the build writes the engine's sources where torch is not
installed.
"""
