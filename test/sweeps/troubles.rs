//! Everything that can happen to a request on its way there and back.

use databricks_deploy::problem::Code;
use databricks_sandbox::{Canned, Moment, On, Trouble};
use std::time::Duration;

/// A trouble, and what is said where it stays.
pub(super) struct Kind {
    pub(super) name: &'static str,
    pub(super) trouble: Trouble,
    strikes: Strikes,
    /// Whether the answer seems to be somebody else's: that is the last word of a host that has not proved itself.
    pub(super) foreign: bool,
    /// Whether it says that what is to be written exists.
    pub(super) exists: bool,
    /// Whether it is about who we are.
    pub(super) refuses: bool,
    /// What the problem is called.
    pub(super) code: Code,
    /// What the log says of it.
    pub(super) words: &'static str,
}

/// Which requests a trouble can strike.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Strikes {
    Every,
    /// Those that show an access token.
    Signed,
    Imports,
    /// Those that are answered in JSON. Nothing on the wire tells a file of which the end is lost on the way from a shorter
    /// one, unless the connection breaks.
    Json,
}

impl Kind {
    /// Whether it can strike the requests of a method and a path.
    pub(super) fn strikes(&self, on: &On) -> bool {
        match self.strikes {
            Strikes::Every => true,
            Strikes::Signed => on.path.starts_with("/api/"),
            Strikes::Imports => on.path == "/api/2.0/workspace/import",
            Strikes::Json => on.path != "/api/2.0/workspace/export",
        }
    }

    /// Whether it can strike every request: these are the ones that are multiplied with all requests.
    pub(super) fn strikes_every(&self) -> bool {
        self.strikes == Strikes::Every
    }
}

/// All of them.
pub(super) fn all() -> Vec<Kind> {
    use Moment::{After, Before};
    let mut all = Vec::new();
    let mut add = |name, strikes, trouble, code, words| {
        all.push(Kind {
            name,
            trouble,
            strikes,
            foreign: false,
            exists: strikes == Strikes::Imports,
            refuses: strikes == Strikes::Signed,
            code,
            words,
        });
    };
    let error = |status, code| Canned::error(status, code, "Something passing.");
    let limited = || error(429, "REQUEST_LIMIT_EXCEEDED");
    let every = Strikes::Every;
    add("429", every, Trouble::Answer(Before, limited()), Code::RateLimited, "status 429");
    add(
        "429, asking for a pause",
        every,
        Trouble::Answer(Before, limited().retry_after(7)),
        Code::RateLimited,
        "status 429",
    );
    let unavailable = || error(503, "TEMPORARILY_UNAVAILABLE");
    add("503", every, Trouble::Answer(Before, unavailable()), Code::ServerError, "status 503");
    let pausing = Trouble::Answer(Before, unavailable().retry_after(30));
    add("503, asking for a pause", every, pausing, Code::ServerError, "status 503");
    let gateway = Canned::html(502, "<html><title>502 Bad Gateway</title></html>");
    for (moment, [internal, bad, late, broken, silent]) in [
        (Before, ["500 before", "502 before", "504 before", "broken before", "silent before"]),
        (After, ["500 after", "502 after", "504 after", "broken after", "silent after"]),
    ] {
        let internal_error = Trouble::Answer(moment, error(500, "INTERNAL_ERROR"));
        add(internal, every, internal_error, Code::ServerError, "status 500");
        add(bad, every, Trouble::Answer(moment, gateway.clone()), Code::ServerError, "status 502");
        add(late, every, Trouble::Answer(moment, error(504, "DEADLINE_EXCEEDED")), Code::ServerError, "status 504");
        add(broken, every, Trouble::Drop(moment), Code::HostUnreachable, "the connection broke");
        let silence = Trouble::Delay(moment, Duration::from_secs(600));
        add(silent, every, silence, Code::HostUnreachable, "no answer within");
    }
    let broken_off = Trouble::Truncate(1);
    add("broken in the answer", every, broken_off, Code::HostUnreachable, "the connection broke");
    let pieces = |pause| Trouble::Slow { piece: 1, pause: Duration::from_secs(pause) };
    // However slow, it comes.
    let slow = Trouble::Slow { piece: 1024, pause: Duration::from_secs(50) };
    add("slow answer", every, slow, Code::HostUnreachable, "");
    add("answer too slow", every, pieces(70), Code::HostUnreachable, "no answer within");
    for (status, name) in [(400, "it exists (400)"), (409, "it exists (409)")] {
        let exists = Canned::error(status, "RESOURCE_ALREADY_EXISTS", "The path already exists.");
        add(name, Strikes::Imports, Trouble::Answer(Before, exists), Code::UnexpectedAnswer, "it exists already");
    }
    let refused = Canned::error(403, "403", "Invalid access token.");
    add(
        "token refused (403)",
        Strikes::Signed,
        Trouble::Answer(Before, refused),
        Code::InvalidToken,
        "Invalid access token",
    );
    let refused = Canned::error(401, "UNAUTHENTICATED", "The token is not good any longer.");
    add(
        "token refused (401)",
        Strikes::Signed,
        Trouble::Answer(Before, refused),
        Code::InvalidToken,
        "not good any longer",
    );

    let mut foreign = |name, strikes, trouble, code, words| {
        all.push(Kind { name, trouble, strikes, foreign: true, exists: false, refuses: false, code, words });
    };
    let page = || Canned::html(200, "<html><title>Sign in</title></html>");
    let login = || Canned::redirect(302, "https://login.example.com/sign-in?to=here");
    foreign("page before", every, Trouble::Answer(Before, page()), Code::NotDatabricks, "a web page");
    foreign("page after", every, Trouble::Answer(After, page()), Code::NotDatabricks, "a web page");
    foreign("redirect before", every, Trouble::Answer(Before, login()), Code::NotDatabricks, "a redirect to");
    foreign("redirect after", every, Trouble::Answer(After, login()), Code::NotDatabricks, "a redirect to");
    foreign("half an answer", Strikes::Json, Trouble::Cut(1), Code::UnexpectedAnswer, "the answer ends in the middle");
    all
}
