"""What was measured: numbers per image, kept safe and passed on; what they mean is for `analysis` to say."""

import lazy_loader

# Names and where they are from stand in `__init__.pyi`: what is asked for is imported, and no more.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
