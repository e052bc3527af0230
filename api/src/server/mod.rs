//! One server: its pod, its GameServer, its state, its events.
