//! One set: which pods and GameServers to make, update and remove; its status.
