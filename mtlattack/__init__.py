"""mtlattack: how badly can a multi-task vision model be hurt?

import mtlattack as mta

model = mta.create_model("rooms-resnet10t.shared")
data = mta.load_dataset("rooms", split="test")
attack = mta.create_attack("apgd-dgba", eps=8 / 255, steps=20)
print(mta.evaluate(model, data, [attack]).report())
"""

import sys

from mtlattack.missing import what_to_install
from mtlattack.version import __version__ as __version__

try:
    import lazy_loader
except ModuleNotFoundError as error:
    if sys.argv[:1] == ["-m"]:  # `python -m mtlattack`, which gets here before it can say anything itself
        print(f"error: {what_to_install(error)}", file=sys.stderr)
        sys.exit(2)
    raise ModuleNotFoundError(what_to_install(error), name=error.name) from None

# Names and where they are from stand in `__init__.pyi`: what is asked for is imported, neither torch nor timm before.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
