"""What a draft would mean for contexts seen lately, as the page of a flag says it without scripts."""

from pathlib import Path

from tests.server.test_previews import OFTEN, ask_for_a_while, take_samples
from tests.support.browsing import browsing, words
from tests.support.server import running

PAGE = "/ui/env/production/flags/checkout"


async def test_a_draft_is_previewed_and_nothing_is_saved(tmp_path: Path) -> None:
    async with running(f"sqlite:{tmp_path / 'flags.db'}") as server, browsing(server) as browser:
        await server.put("checkout", enabled=True, rolloutPercentage=0)
        await browser.sign_in()
        await browser.get(PAGE)
        draft = {"config": '{"enabled": true, "rolloutPercentage": 100}', "revision": "1", "do": "preview"}
        assert "There are no samples: production takes none." in words((await browser.post(PAGE, **draft)).text)
        await take_samples(server)
        async with server.client(**OFTEN) as flags:
            await ask_for_a_while(server, flags, "checkout", 20)
        shown = await browser.post(PAGE, **draft)
        assert shown.status == 200
        said = words(shown.text)
        assert "sampled contexts would get another answer" in said
        assert "from off to on" in said
        assert '"rolloutPercentage": 100}' in said, "what was written stays"
        refused = await browser.post(PAGE, **{**draft, "config": '{"enabled": "yes"}'})
        assert (refused.status, "/enabled" in refused.text) == (422, True)
        assert (await server.ask("GET", "/admin/flags/checkout")).body["rolloutPercentage"] == 0
