//! What builds of other kinds would do with the same step.

use super::Case;
use super::chart::Chart;
use crate::finding::Group;
use crate::settings::OtherBuilds;

const GROUP: Group = Group::Builds;

pub(super) fn examine(case: &Case<'_>, chart: &mut Chart<'_>) {
    let pipeline = case.pipeline;
    let this = match (&pipeline.pull_request, &pipeline.tag) {
        (Some(number), _) => Some(format!("this is the build of the pull request {number}")),
        (None, Some(tag)) => Some(format!("this is the build of the tag `{tag}`")),
        (None, None) => None,
    };
    if let Some(stops) = &case.patient.stops {
        let mut problem = stops.clone();
        problem.message = format!("a deploy of this build would stop: {}", problem.message);
        // A run of this very step would not begin.
        return chart.bad(GROUP, problem);
    }
    let target = case.patient.target.as_deref().unwrap_or_default();
    if let Some(this) = this.filter(|_| case.patient.other_builds != OtherBuilds::Nothing) {
        return chart.told(GROUP, format!("{this}; it deploys to the target `{target}`"));
    }
    match &case.patient.other_builds {
        OtherBuilds::Nothing => {}
        OtherBuilds::SameTarget { because } => {
            chart.told(GROUP, format!("a pull-request or tag build would deploy to the same target `{target}`, since {because}"));
        }
        OtherBuilds::Stop => chart.told(
            GROUP,
            "a pull-request or tag build would stop here before any change: without `TARGET` and `deployment:` only a branch \
             says what to deploy to",
        ),
    }
}
