// A shop whose checkout stands behind a flag. The page hears of a kill through the server's event stream.
// The address and the browser key stand in the page's URL here: ?server=http://127.0.0.1:8420&key=ww_client_…
import { OFREPWebProvider } from "@openfeature/ofrep-web-provider";
import { OpenFeature, OpenFeatureProvider, useFlag } from "@openfeature/react-sdk";
import { createRoot } from "react-dom/client";

const settings = new URLSearchParams(window.location.search);

const provider = new OFREPWebProvider({
  baseUrl: settings.get("server") ?? "http://127.0.0.1:8420",
  headers: [["Authorization", `Bearer ${settings.get("key")}`]],
  pollInterval: 0, // the event stream is enough
});

OpenFeature.setContext({ targetingKey: settings.get("user") ?? "u1", plan: "premium" });
OpenFeature.setProvider(provider);

function Checkout() {
  const { value: enabled } = useFlag("new_checkout", false);
  const { value: colour } = useFlag("button_colour", "grey");
  return enabled ? (
    <button style={{ background: colour }} data-colour={colour}>
      Buy now
    </button>
  ) : (
    <a href="#classic">Go to the classic checkout</a>
  );
}

createRoot(document.getElementById("app")).render(
  <OpenFeatureProvider>
    <Checkout />
  </OpenFeatureProvider>,
);
