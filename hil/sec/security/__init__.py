"""The DCC's security rules: user entry, protective monitoring, the algorithms used (sec2-rules sections 1, 15; [281, 282, 391-393])."""
