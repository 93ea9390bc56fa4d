//! Servers to which different names are one.

use longshore_core::{Error, ErrorKind};

use super::broken;
use super::hooked::hooked;
use crate::broken::runs::Broken;

pub(crate) fn table() -> Vec<Broken> {
    vec![
        broken(
            "names are cut after 64 letters",
            hooked!(part: |part| part.chars().take(64).collect()),
            &["storage::names::each_is_its_own", "storage::names::may_be_as_long_and_as_deep_as_allowed"],
        ),
        broken("- and _ are one", hooked!(part: |part| part.replace('-', "_")), &["storage::names::each_is_its_own"]),
        broken(
            "leading zeros are dropped",
            hooked!(part: |part| match part.trim_start_matches('0') {
                "" => "0".to_owned(),
                rest => rest.to_owned(),
            }),
            &["storage::names::each_is_its_own"],
        ),
        broken(
            "numbers are kept in 64 bits",
            hooked!(part: |part| match part.parse::<u128>() {
                Ok(number) => format!("{:0width$}", number.min(u128::from(u64::MAX)), width = part.len().min(80)),
                Err(_) => part.to_owned(),
            }),
            &["storage::names::each_is_its_own"],
        ),
        broken(
            "trailing - and _ are dropped",
            hooked!(part: |part| match part.trim_end_matches(['-', '_']) {
                "" => part.to_owned(),
                rest => rest.to_owned(),
            }),
            &["storage::names::each_is_its_own"],
        ),
        broken(
            "the names of devices are refused",
            hooked!(refused: |key| {
                let device = key.parts().any(|part| ["con", "nul", "aux", "prn", "com1", "lpt1"].contains(&part));
                device.then(|| Error::new(ErrorKind::Invalid, "the file name is not valid"))
            }),
            &["storage::names::each_is_its_own"],
        ),
        broken(
            "long paths are refused",
            hooked!(refused: |key| {
                (key.as_str().len() > 255).then(|| Error::new(ErrorKind::Invalid, "the path is too long"))
            }),
            &["storage::names::may_be_as_long_and_as_deep_as_allowed"],
        ),
        broken(
            "names are listed in upper case",
            hooked!(page: |names, after| {
                let later = super::hooked::later(names, after);
                Ok((later.iter().map(|name| if name == "data" { name.clone() } else { name.to_uppercase() }).collect(), false))
            }),
            &["storage::names::are_listed_as_they_were_given"],
        ),
    ]
}
