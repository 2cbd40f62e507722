//! Parts that are broken on purpose, to see that the checkers notice.

/// What is broken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sabotage {
    /// Nothing.
    #[default]
    None,
    /// Receivers do not recognise what came before.
    NoDedup,
    /// One outcome in twenty is not passed on.
    LosesOutcomes,
    /// A failed message is reported as delivered.
    LiesAboutOutcomes,
    /// Receivers process what waits in any order.
    Overtakes,
    /// One session message in five is confirmed and not applied.
    ConfirmsWithoutApplying,
    /// Links take four times as much as is allowed.
    TakesTooMuch,
    /// One verdict in ten reaches the group and not the record of its inputs.
    UnrecordedInputs,
    /// One node does not hear datagrams.
    Deaf,
    /// One message in twenty has another body than its sender gave it.
    CorruptsBodies,
}
