"""One ZigBee PRO node: MAC, NWK, APS, ZDO and trust centre, behind every virtual dongle and every simulated Device."""
