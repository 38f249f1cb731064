"""Panel for a sweep.

    values        values of a parameter as text, both ways, and the Python of a sweep
    form          from the fields of the panel to a sweep
    sweep_panel   `SweepPanel`, kernel side

On the page: `parts.js` (varied parameters, search, table of runs) and `panel.js`.
"""
