"""A laboratory for Tencent Cloud Infinite's video enhancement, inside Jupyter.

    import ci_notebook as ci

    lab = ci.connect()                      # the embedded engine: no account, no network, no cost
    clip = lab.upload(ci.sample())
    panel = ci.EnhancePanel(lab, clip)

The public names are listed once, in `__init__.pyi`. Each is imported when it is first used, so that
`import ci_notebook` stays fast.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
