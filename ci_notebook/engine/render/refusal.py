"""The error for a request that cannot be rendered: the caller has to change it."""

from __future__ import annotations

from ci_notebook.model.errors import ParameterError


class RequestRefused(ParameterError):
    """A request that cannot be rendered from this source. `code` and `message` become the job's Code and Message.

    >>> RequestRefused("The source is HDR already.").code
    'InvalidArgument'
    """

    def __init__(self, message: str, code: str = "InvalidArgument") -> None:
        super().__init__("", None, message)
        self.message, self.code = message, code
        self.args = (message, code)
