"""mtlattack: how badly can a multi-task vision model be hurt?

import mtlattack as mta

model = mta.create_model("rooms-resnet10t.shared")
data = mta.load_dataset("rooms", split="test")
attack = mta.create_attack("apgd-dgba", eps=8 / 255, steps=20)
print(mta.evaluate(model, data, [attack]).report())
"""

import lazy_loader

from mtlattack.version import __version__ as __version__

# Names and where they are from stand in `__init__.pyi`: what is asked for is imported, neither torch nor timm before.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
