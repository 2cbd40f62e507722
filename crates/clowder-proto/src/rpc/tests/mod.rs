mod calls;
mod simulation;
mod wire;
