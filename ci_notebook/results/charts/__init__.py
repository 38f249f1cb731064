"""Charts: each a pure computation (`compute_*`), a drawing of it (`plot_*`), and a sentence (`describe_*`).

Each takes runs or their table; those that show single frames take runs only. One chart is one module, called
like its subject; `style` and `intervals` are shared.
"""

from ci_notebook.results.charts.bd_rate import bd_rate, compute_bd_rate, describe_bd_rate, plot_bd_rate
from ci_notebook.results.charts.cost_benefit import compute_gain, describe_gain, plot_gain
from ci_notebook.results.charts.importance import compute_importance, describe_importance, plot_importance
from ci_notebook.results.charts.interaction import compute_interaction, describe_interaction, plot_interaction
from ci_notebook.results.charts.oversharpening import compute_needle, describe_needle, plot_needle
from ci_notebook.results.charts.parallel import compute_parallel, describe_parallel, plot_parallel
from ci_notebook.results.charts.pareto import compute_pareto, describe_pareto, plot_pareto
from ci_notebook.results.charts.per_frame import compute_trace, describe_trace, plot_trace
from ci_notebook.results.charts.preference import describe_ranking, plot_ranking
from ci_notebook.results.charts.response import compute_response, describe_response, plot_response
from ci_notebook.results.charts.style import COLORS, LINES, MARKERS
from ci_notebook.results.charts.timeline import compute_timeline, describe_timeline, plot_timeline

__all__ = [
    "COLORS",
    "LINES",
    "MARKERS",
    "bd_rate",
    "compute_bd_rate",
    "compute_gain",
    "compute_importance",
    "compute_interaction",
    "compute_needle",
    "compute_parallel",
    "compute_pareto",
    "compute_response",
    "compute_timeline",
    "compute_trace",
    "describe_bd_rate",
    "describe_gain",
    "describe_importance",
    "describe_interaction",
    "describe_needle",
    "describe_parallel",
    "describe_pareto",
    "describe_ranking",
    "describe_response",
    "describe_timeline",
    "describe_trace",
    "plot_bd_rate",
    "plot_gain",
    "plot_importance",
    "plot_interaction",
    "plot_needle",
    "plot_parallel",
    "plot_pareto",
    "plot_ranking",
    "plot_response",
    "plot_timeline",
    "plot_trace",
]
