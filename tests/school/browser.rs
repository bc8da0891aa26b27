//! A real browser: Chromium, driven through chromedriver. Where there is none, tests say loudly that they were skipped.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::str::FromStr;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD as BASE64;
use fantoccini::elements::Element;
use fantoccini::key::Key;
use fantoccini::wd::WebDriverCompatibleCommand;
use fantoccini::{Client, ClientBuilder, Locator};
use reqwest::{Method, Url};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::repository;

/// Until something shows that takes the recogniser to appear: debug builds on busy machines are slow.
const PATIENCE: Duration = Duration::from_secs(120);

/// What the page is looked at with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Screen {
    Phone,
    Desk,
}

/// A window of a browser of its own; closed with the value.
pub(crate) struct Browser {
    driver: Child,
    pub(crate) window: Client,
    /// Where it puts what is downloaded.
    downloads: TempDir,
}

/// A request to chromedriver beyond the WebDriver standard.
#[derive(Debug)]
struct Chromedriver {
    path: &'static str,
    body: Value,
}

impl WebDriverCompatibleCommand for Chromedriver {
    fn endpoint(&self, base: &Url, session: Option<&str>) -> Result<Url, <Url as FromStr>::Err> {
        base.join(&format!("session/{}/{}", session.unwrap_or_default(), self.path))
    }

    fn method_and_body(&self, _: &Url) -> (Method, Option<String>) {
        (Method::POST, Some(self.body.to_string()))
    }
}

impl Browser {
    /// None where chromedriver or Chromium is missing.
    pub(crate) async fn open(screen: Screen, scheme: &str) -> Option<Self> {
        let Ok(mut driver) =
            Command::new("chromedriver").arg("--port=0").stdout(Stdio::piped()).stderr(Stdio::null()).spawn()
        else {
            eprintln!("skipped: no chromedriver on this machine (apt-get install chromium-driver)");
            return None;
        };
        let mut lines = BufReader::new(driver.stdout.take().unwrap()).lines().map(Result::unwrap);
        let port =
            lines.find_map(|line| Some(line.split_once("successfully on port ")?.1.trim_end_matches('.').to_owned()));
        std::thread::spawn(move || lines.for_each(drop));
        let address = format!("http://127.0.0.1:{}", port.expect("chromedriver says where it listens"));
        let mut builder = ClientBuilder::new(hyper_util::client::legacy::connect::HttpConnector::new());
        let downloads = tempfile::tempdir().unwrap();
        builder.capabilities(capabilities(screen, scheme, downloads.path()));
        let window = builder.connect(&address).await.unwrap_or_else(|e| panic!("Chromium does not start: {e}"));
        Some(Self { driver, window, downloads })
    }

    async fn chromedriver(&self, path: &'static str, body: Value) -> Value {
        self.window.issue_cmd(Chromedriver { path, body }).await.unwrap()
    }

    /// A network such as a phone has at the edge of the school's Wi-Fi.
    pub(crate) async fn slow_network(&self) {
        let slow =
            json!({ "offline": false, "latency": 300, "download_throughput": 150_000, "upload_throughput": 50_000 });
        self.chromedriver("chromium/network_conditions", json!({ "network_conditions": slow })).await;
    }

    /// What the browser complained of since it was last asked.
    pub(crate) async fn complaints(&self) -> Vec<String> {
        let log = self.chromedriver("se/log", json!({ "type": "browser" })).await;
        let severe = log.as_array().unwrap().iter().filter(|entry| entry["level"] == "SEVERE");
        severe.map(|entry| entry["message"].as_str().unwrap().to_owned()).collect()
    }

    /// The file that was downloaded, once it is whole.
    pub(crate) async fn downloaded(&self, extension: &str) -> PathBuf {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            let files = std::fs::read_dir(self.downloads.path()).unwrap().map(|file| file.unwrap().path());
            if let Some(file) = files.into_iter().find(|file| file.extension().is_some_and(|ext| ext == extension)) {
                return file;
            }
            assert!(tokio::time::Instant::now() < deadline, "no .{extension} was downloaded");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Keeps what the window shows, all of its length, as `folder/name.png`.
    pub(crate) async fn picture(&self, folder: &Path, name: &str) {
        std::fs::create_dir_all(folder).unwrap();
        let metrics = json!({ "cmd": "Page.getLayoutMetrics", "params": {} });
        let size = &self.chromedriver("goog/cdp/execute", metrics).await["cssContentSize"];
        let whole = json!({ "x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1 });
        let shot = json!({ "captureBeyondViewport": true, "clip": whole });
        let shot = json!({ "cmd": "Page.captureScreenshot", "params": shot });
        let shown = self.chromedriver("goog/cdp/execute", shot).await;
        let png = BASE64.decode(shown["data"].as_str().unwrap()).unwrap();
        std::fs::write(folder.join(format!("{name}.png")), png).unwrap();
    }

    /// Types into whatever has the focus.
    pub(crate) async fn type_keys(&self, keys: &str) {
        self.window.active_element().await.unwrap().send_keys(keys).await.unwrap();
    }

    pub(crate) async fn press_key(&self, key: Key) {
        self.type_keys(&char::from(key).to_string()).await;
    }

    /// Goes on with Tab until what has the focus is called so.
    pub(crate) async fn tab_to(&self, text: &str) {
        let name = "const { activeElement: at } = document; if (at === document.body) return ''; \
                    return at.getAttribute('aria-label') ?? at.labels?.[0]?.innerText ?? at.innerText ?? ''";
        let mut passed = Vec::new();
        for _ in 0..200 {
            self.press_key(Key::Tab).await;
            let named = self.script(name).await.as_str().unwrap_or_default().replace('\n', " ");
            if named.contains(text) {
                return;
            }
            passed.push(named);
        }
        panic!("Tab does not come to {text:?}, but to {passed:?}");
    }

    /// Opens a screen of the page and waits for its name.
    pub(crate) async fn show(&self, url: &str, place: &str) {
        self.window.goto(&format!("{url}/#{place}")).await.unwrap();
        self.settled().await;
    }

    /// Until nothing is loading any more.
    pub(crate) async fn settled(&self) {
        tokio::time::sleep(Duration::from_millis(400)).await;
        let script = "return document.querySelector('main h1') !== null && \
                      document.querySelector('main > .state .spinner, .skeleton, [aria-busy=true]') === null";
        let deadline = tokio::time::Instant::now() + PATIENCE;
        while self.script(script).await != Value::Bool(true) {
            assert!(tokio::time::Instant::now() < deadline, "still loading: {}", self.text("body").await);
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    pub(crate) async fn script(&self, script: &str) -> Value {
        self.window.execute(script, Vec::new()).await.unwrap()
    }

    pub(crate) async fn find(&self, css: &str) -> Element {
        let found = self.window.wait().at_most(PATIENCE).for_element(Locator::Css(css)).await;
        match found {
            Ok(element) => element,
            Err(error) => panic!("no {css}: {error}; the page says: {}", self.text("body").await),
        }
    }

    /// The link, button, label or summary whose text, or whose name for screen readers, is or holds this. Nothing behind an open
    /// dialog can be pressed.
    pub(crate) async fn press(&self, text: &str) {
        let inside = if self.count("dialog[open]").await > 0 { "//dialog[@open]" } else { "" };
        let path = format!(
            "{inside}//*[self::button or self::a or self::summary or self::label][contains(normalize-space(.), \"{text}\") or \
             contains(@aria-label, \"{text}\")][not(ancestor-or-self::*[@hidden])]"
        );
        self.click(Locator::XPath(&path), text).await;
    }

    pub(crate) async fn press_first(&self, css: &str) {
        self.click(Locator::Css(css), css).await;
    }

    /// Bars at the edges cover what is scrolled under them, and something may still be moving or made anew: tried until it can be
    /// clicked.
    async fn click(&self, locator: Locator<'_>, what: &str) {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            let clicked = async {
                let element = self.window.find(locator).await?;
                let to_middle = "arguments[0].scrollIntoView({ block: 'center' })";
                self.window.execute(to_middle, vec![serde_json::to_value(&element).unwrap()]).await?;
                element.click().await
            };
            let Err(error) = clicked.await else { return };
            let late = tokio::time::Instant::now() > deadline;
            assert!(!late, "{what} cannot be pressed: {error}; the page says: {}", self.text("body").await);
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
    }

    pub(crate) async fn write(&self, field: &str, text: &str) {
        let element = self.find(&format!("[name={field}]")).await;
        element.clear().await.unwrap();
        element.send_keys(text).await.unwrap();
    }

    /// Hands files to a file field, as the person's choice would.
    pub(crate) async fn choose_files(&self, css: &str, files: &[&Path]) {
        let names: Vec<&str> = files.iter().map(|file| file.to_str().unwrap()).collect();
        self.find(css).await.send_keys(&names.join("\n")).await.unwrap();
    }

    /// Waits until an element's text holds `part`.
    pub(crate) async fn wait_for(&self, css: &str, part: &str) {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            let text = self.text(css).await;
            if text.contains(part) {
                return;
            }
            assert!(tokio::time::Instant::now() < deadline, "{css} does not say {part:?}, but {text:?}");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// Waits until no element of these has `part` in its text.
    pub(crate) async fn wait_until_gone(&self, css: &str, part: &str) {
        let script =
            format!("return [...document.querySelectorAll({css:?})].some((e) => e.innerText.includes({part:?}))");
        let deadline = tokio::time::Instant::now() + PATIENCE;
        while self.script(&script).await != Value::Bool(false) {
            assert!(tokio::time::Instant::now() < deadline, "{css} goes on saying {part:?}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// The text of the elements; empty without any.
    pub(crate) async fn text(&self, css: &str) -> String {
        let script = format!("return [...document.querySelectorAll({css:?})].map((e) => e.innerText).join('\\n')");
        self.script(&script).await.as_str().unwrap_or_default().to_owned()
    }

    pub(crate) async fn count(&self, css: &str) -> u64 {
        self.script(&format!("return document.querySelectorAll({css:?}).length")).await.as_u64().unwrap()
    }

    pub(crate) async fn sign_in(&self, url: &str, name: &str, password: &str) {
        self.window.goto(url).await.unwrap();
        self.write("name", name).await;
        self.write("password", password).await;
        self.press("Sign in").await;
        self.find("header.bar").await;
        self.settled().await;
    }

    /// What speaks against the screen as it is: parts beside the window, touch targets too small to hit, and what axe finds.
    pub(crate) async fn faults(&self, axe: Option<&str>) -> Vec<String> {
        let mut faults = Vec::new();
        let wide =
            self.script("return document.documentElement.scrollWidth - document.documentElement.clientWidth").await;
        if wide.as_i64().unwrap_or(0) > 1 {
            faults.push(format!("the page is {wide} px wider than its window"));
        }
        if self.count("main .state-failure").await > 0 {
            faults.push(format!("it failed: {}", self.text("main .state-failure").await));
        }
        faults.extend(self.complaints().await);
        if let Some(axe) = axe {
            self.script(axe).await;
            // What is under the bar at the bottom can be scrolled up.
            self.script("document.querySelector('.session-foot')?.style.setProperty('position', 'static')").await;
            // Faces are as large as they are in the photo; each is in the list of students as well.
            let script = "const done = arguments[arguments.length - 1]; axe.run({exclude: [['.viewer-faces']]}, {runOnly: ['wcag2a', 'wcag2aa', \
                 'wcag21a', 'wcag21aa', 'wcag22aa']}).then((found) => done(found.violations.map((violation) => \
                 `${violation.id}: ${violation.nodes[0].html.slice(0, 200)} ${violation.nodes[0].failureSummary}`)))";
            let found = self.window.execute_async(script, Vec::new()).await.unwrap();
            faults.extend(found.as_array().unwrap().iter().map(|violation| violation.as_str().unwrap().to_owned()));
        }
        faults
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Chromium goes with its driver's connection.
        let _ = Command::new("pkill").arg("-P").arg(self.driver.id().to_string()).status();
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

fn capabilities(screen: Screen, scheme: &str, downloads: &Path) -> fantoccini::wd::Capabilities {
    let mut arguments = vec![
        "--headless=new".to_owned(),
        // Containers have neither a display nor user namespaces.
        "--no-sandbox".to_owned(),
        "--disable-gpu".to_owned(),
        "--disable-dev-shm-usage".to_owned(),
        "--force-prefers-reduced-motion".to_owned(),
        "--lang=en-GB".to_owned(),
        "--window-size=1280,900".to_owned(),
        "--use-fake-ui-for-media-stream".to_owned(),
        "--use-fake-device-for-media-stream".to_owned(),
    ];
    if scheme == "dark" {
        arguments.push("--blink-settings=preferredColorScheme=0".to_owned());
    }
    let mut options = json!({ "args": arguments, "prefs": { "download.default_directory": downloads } });
    if screen == Screen::Phone {
        options["mobileEmulation"] =
            json!({ "deviceMetrics": { "width": 390, "height": 844, "pixelRatio": 2.0, "touch": true } });
    }
    let Value::Object(capabilities) = json!({
        "browserName": "chrome",
        "goog:chromeOptions": options,
        "goog:loggingPrefs": { "browser": "ALL" },
    }) else {
        unreachable!()
    };
    capabilities
}

/// The program that looks for barriers; fetched once with npm where it is not here yet.
pub(crate) fn axe() -> Option<String> {
    const VERSION: &str = "4.14.1";
    let folder = repository().join("target/axe-core").join(VERSION);
    let file = folder.join("node_modules/axe-core/axe.min.js");
    if !file.exists() {
        std::fs::create_dir_all(&folder).unwrap();
        let fetch = ["install", "--silent", "--no-save", "--ignore-scripts", &format!("axe-core@{VERSION}")];
        let _ = Command::new("npm").args(fetch).arg("--prefix").arg(&folder).stderr(Stdio::null()).status();
    }
    let read = std::fs::read_to_string(&file).ok();
    if read.is_none() {
        eprintln!("skipped: axe-core {VERSION} is not here and npm cannot fetch it");
    }
    read
}
