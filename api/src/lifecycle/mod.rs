//! The life of a pod between its creation and its end: hooks that hold it, and updates in place.
//!
//! ```text
//!   hook       labels and finalizers that hold a pod; its lifecycle state; its readiness gate
//!   template   what of the template a pod has, and whether it can get another one in place
//!   flight     what is remembered on a pod while its containers are exchanged
//!   arrived    whether the kubelet runs the images that the pod asks for
//!   step       the next write on one pod
//! ```
//!
//! All that matters is on the pod, and each step is one write that names the version of the pod it was decided
//! on. So a step is made once or not at all, whoever is interrupted where, and the next look goes on from what
//! the pod says:
//!
//! ```text
//!   Normal ──hook──► PreparingUpdate ──off──► Updating: gate closed ─grace─► images ─kubelet─► Normal, gate open
//!                                                                                      └─hook─► Updated ─on─┘
//! ```

mod arrived;
mod flight;
mod hook;
mod step;
mod template;

#[cfg(test)]
mod step_tests;
#[cfg(test)]
mod world;
#[cfg(test)]
mod world_properties;

pub(crate) use flight::Flight;
pub(crate) use hook::State;
pub use hook::{gate_open, hooked, initial_state, prepare_delete, state_of_unlabelled};
pub use step::{Input, Rollout, Step, Write, step};
pub(crate) use template::own_images;
pub use template::{Record, Template};
