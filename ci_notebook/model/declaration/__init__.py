"""How the nodes of the API are declared, and how code names them.

param  the declaration of one leaf: range, unit, help, allowed values
node   the base class of all nodes; `parts(cls)` lists the declarations
paths  dotted paths of leaves: `MsSharpen.SharpenLevel`
"""
