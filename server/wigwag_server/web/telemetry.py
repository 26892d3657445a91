"""`POST /v1/telemetry`: what clients tell of themselves."""

from http import HTTPStatus

from aiohttp import web

from wigwag_proto.errors import Malformed, StoreUnavailable
from wigwag_proto.samples import SAMPLES_HEADER
from wigwag_proto.telemetry import Telemetry, decode_telemetry
from wigwag_server.auth.keys import KeyKind
from wigwag_server.problems import Problem
from wigwag_server.services import SERVICES
from wigwag_server.web.operation import operation


@operation("Take in what a client confirms and counts", needs=(KeyKind.SERVER,), takes=Telemetry, gives={204: None})
async def telemetry(request: web.Request) -> web.Response:
    """Answer 204 once the counts are in the store; confirmations and samples are on their way there.

    `Wigwag-Samples` asks for samples of contexts with the next report, where the environment takes some.
    """
    services = request.app[SERVICES]
    key = services.guard.admit(request, KeyKind.SERVER)
    environment = services.known_environment(key.environment or "")
    data = await request.read()
    try:
        report = decode_telemetry(data)
    except Malformed as error:
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, f"Nothing of the report was taken in: {error}.") from None
    services.instances.of(environment.name).heard(report)
    if report.usage or report.outcomes:
        try:
            await services.usage.take(environment.name, report)
        except StoreUnavailable as error:
            detail = f"The counts are not known to be in the store ({error}). Send the same batch again."
            raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, detail, headers={"Retry-After": "5"}) from None
    services.samples.take(environment.name, report)
    wanted = services.samples.header(environment.name, len(services.hubs[environment.name].connections))
    return web.Response(status=HTTPStatus.NO_CONTENT, headers={SAMPLES_HEADER: wanted} if wanted else None)
