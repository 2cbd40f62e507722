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
    /// Receivers tell copies by their id, also where the pieces of one message share it.
    TakesPiecesForCopies,
    /// A message with the order of its sender is handed on when its connection's task comes to it.
    IgnoresGates,
    /// What has waited for long enough goes on waiting.
    HoldsForEver,
    /// The layers hold four times as much as is allowed.
    HoldsTooMuch,
    /// Everybody commits, whoever has the message.
    CommitsRegardless,
    /// The coordinator of one node acknowledges what others send and does not look at it.
    ElectsAlone,
    /// One message in twenty has another body than its sender gave it.
    CorruptsBodies,
}
