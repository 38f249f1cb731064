"""The public names and where each is defined: the one list, read by type checkers and by the lazy loader."""

from ._version import __version__ as __version__
from .client.connection.credentials import Credentials as Credentials
from .client.connection.failures import ConnectionFailed as ConnectionFailed
from .client.job import Job as Job
from .client.objects import Clip as Clip
from .course.exercises import check as check
from .doctor.doctor import doctor as doctor
from .engine.jobs.dask_cluster import DaskCluster as DaskCluster
from .experiment.pricing.price_file import read_prices as read_prices
from .experiment.sweep import (
    Sweep as Sweep,
)
from .experiment.sweep import (
    explicit as explicit,
)
from .experiment.sweep import (
    grid as grid,
)
from .experiment.sweep import (
    one_at_a_time as one_at_a_time,
)
from .experiment.sweep import (
    pairs as pairs,
)
from .experiment.sweep import (
    random as random,
)
from .experiment.sweep import (
    templates as templates,
)
from .lab.connect import connect as connect
from .lab.lab import Lab as Lab
from .lab.playing.play import play as play
from .lab.scoring.file_scoring import score as score
from .media.samples import sample as sample
from .media.samples import samples as samples
from .model.api.jobs import (
    CallBackMqConfig as CallBackMqConfig,
)
from .model.api.jobs import (
    JobFailed as JobFailed,
)
from .model.api.jobs import (
    JobsDetail as JobsDetail,
)
from .model.api.jobs import (
    WaitTimedOut as WaitTimedOut,
)
from .model.declaration.node import AUTO as AUTO
from .model.declaration.node import Unknown as Unknown
from .model.errors import (
    BudgetExceeded as BudgetExceeded,
)
from .model.errors import (
    CIError as CIError,
)
from .model.errors import (
    EngineError as EngineError,
)
from .model.errors import (
    ParameterError as ParameterError,
)
from .model.errors import (
    ServiceError as ServiceError,
)
from .model.setting.enhance import (
    ColorEnhance as ColorEnhance,
)
from .model.setting.enhance import (
    FrameEnhance as FrameEnhance,
)
from .model.setting.enhance import (
    MsSharpen as MsSharpen,
)
from .model.setting.enhance import (
    SDRtoHDR as SDRtoHDR,
)
from .model.setting.enhance import (
    SuperResolution as SuperResolution,
)
from .model.setting.enhance import (
    VideoEnhance as VideoEnhance,
)
from .model.setting.presets import PRESETS as PRESETS
from .model.setting.presets import preset as preset
from .model.setting.transcode import (
    Audio as Audio,
)
from .model.setting.transcode import (
    AudioMix as AudioMix,
)
from .model.setting.transcode import (
    ClipConfig as ClipConfig,
)
from .model.setting.transcode import (
    Container as Container,
)
from .model.setting.transcode import (
    DashEncrypt as DashEncrypt,
)
from .model.setting.transcode import (
    EffectConfig as EffectConfig,
)
from .model.setting.transcode import (
    HlsEncrypt as HlsEncrypt,
)
from .model.setting.transcode import (
    TimeInterval as TimeInterval,
)
from .model.setting.transcode import (
    Transcode as Transcode,
)
from .model.setting.transcode import (
    TransConfig as TransConfig,
)
from .model.setting.transcode import (
    Video as Video,
)
from .model.setting.watermark import (
    DigitalWatermark as DigitalWatermark,
)
from .model.setting.watermark import (
    Image as Image,
)
from .model.setting.watermark import (
    Text as Text,
)
from .model.setting.watermark import (
    Watermark as Watermark,
)
from .results.charts import (
    compute_response as compute_response,
)
from .results.charts import (
    plot_bd_rate as plot_bd_rate,
)
from .results.charts import (
    plot_gain as plot_gain,
)
from .results.charts import (
    plot_importance as plot_importance,
)
from .results.charts import (
    plot_interaction as plot_interaction,
)
from .results.charts import (
    plot_needle as plot_needle,
)
from .results.charts import (
    plot_parallel as plot_parallel,
)
from .results.charts import (
    plot_pareto as plot_pareto,
)
from .results.charts import (
    plot_ranking as plot_ranking,
)
from .results.charts import (
    plot_response as plot_response,
)
from .results.charts import (
    plot_timeline as plot_timeline,
)
from .results.charts import (
    plot_trace as plot_trace,
)
from .results.dataframe import (
    differing as differing,
)
from .results.dataframe import (
    read_frame as read_frame,
)
from .results.dataframe import (
    read_jobs as read_jobs,
)
from .results.dataframe import (
    to_frame as to_frame,
)
from .results.runs import Runs as Runs
from .results.runs import read_runs as read_runs
from .results.verdict.verdict import all_verdicts as all_verdicts
from .results.verdict.verdict import verdict as verdict
from .results.verdict.verdict import verdicts as verdicts
from .results.voting.ranking import compute_ranking as compute_ranking
from .results.voting.ranking import ranking as ranking
from .widgets.compare.compare_view import CompareView as CompareView
from .widgets.enhance.enhance_panel import EnhancePanel as EnhancePanel
from .widgets.monitor.monitor_view import Monitor as Monitor
from .widgets.sweep.sweep_panel import SweepPanel as SweepPanel
from .widgets.vote.vote_view import VoteView as VoteView
