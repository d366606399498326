/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CVSS: FIRST's examples, what is no vector, and what must hold of all vectors of 4.0.
 *
 *     test_cvss [FILE]
 *
 * FILE: lines "BASE SCORE VECTOR", where "-" is any number; or "NUMBER either VECTOR", where the
 * number is the base score or the score.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "version/cvss.h"

struct example {
	const char *vector;
	double base; /* -1: not given */
	double score;
};

/* CVSS 2.0: the guide, section 3.3; 3.0 and 3.1: the examples documents, and the extremes. */
static const struct example examples[] = {
	{ "AV:N/AC:L/Au:N/C:N/I:N/A:C", 7.8, 7.8 },
	{ "AV:N/AC:L/Au:N/C:N/I:N/A:C/E:F/RL:OF/RC:C", 7.8, 6.4 },
	{ "AV:N/AC:L/Au:N/C:N/I:N/A:C/E:F/RL:OF/RC:C/CDP:H/TD:H/CR:M/IR:M/AR:H", 7.8, 9.2 },
	{ "AV:N/AC:L/Au:N/C:N/I:N/A:C/E:F/RL:OF/RC:C/CDP:N/TD:N/CR:M/IR:M/AR:H", 7.8, 0.0 },
	{ "AV:N/AC:L/Au:N/C:C/I:C/A:C", 10.0, 10.0 },
	{ "AV:N/AC:L/Au:N/C:C/I:C/A:C/E:F/RL:OF/RC:C", 10.0, 8.3 },
	{ "AV:N/AC:L/Au:N/C:C/I:C/A:C/E:F/RL:OF/RC:C/CDP:H/TD:H/CR:M/IR:M/AR:L", 10.0, 9.0 },
	{ "AV:L/AC:H/Au:N/C:C/I:C/A:C", 6.2, 6.2 },
	{ "AV:L/AC:H/Au:N/C:C/I:C/A:C/E:POC/RL:OF/RC:C", 6.2, 4.9 },
	{ "AV:L/AC:H/Au:N/C:C/I:C/A:C/E:POC/RL:OF/RC:C/CDP:H/TD:H/CR:M/IR:M/AR:M", 6.2, 7.5 },
	{ "(AV:N/AC:L/Au:N/C:P/I:P/A:P)", 7.5, 7.5 },
	{ "CVSS:2.0/AV:N/AC:M/Au:N/C:N/I:P/A:N", 4.3, 4.3 },
	{ "AV:N/AC:L/Au:N/C:N/I:N/A:N", 0.0, 0.0 },
	{ "A:P/I:P/C:P/Au:N/AC:L/AV:N", 7.5, 7.5 },
	{ "CVSS:3.0/AV:N/AC:L/PR:N/UI:R/S:C/C:L/I:L/A:N", 6.1, 6.1 },
	{ "CVSS:3.1/AV:N/AC:L/PR:N/UI:R/S:C/C:L/I:L/A:N", 6.1, 6.1 },
	{ "CVSS:3.0/AV:N/AC:L/PR:L/UI:N/S:C/C:L/I:L/A:N", 6.4, 6.4 },
	{ "CVSS:3.1/AV:N/AC:L/PR:L/UI:N/S:C/C:L/I:L/A:N", 6.4, 6.4 },
	{ "CVSS:3.0/AV:N/AC:H/PR:N/UI:R/S:U/C:L/I:N/A:N", 3.1, 3.1 },
	{ "CVSS:3.1/AV:N/AC:H/PR:N/UI:R/S:U/C:L/I:N/A:N", 3.1, 3.1 },
	{ "CVSS:3.0/AV:N/AC:L/PR:L/UI:N/S:C/C:H/I:H/A:H", 9.9, 9.9 },
	{ "CVSS:3.1/AV:N/AC:L/PR:L/UI:N/S:C/C:H/I:H/A:H", 9.9, 9.9 },
	{ "CVSS:3.0/AV:L/AC:L/PR:H/UI:N/S:U/C:L/I:L/A:L", 4.2, 4.2 },
	{ "CVSS:3.1/AV:L/AC:L/PR:H/UI:N/S:U/C:L/I:L/A:L", 4.2, 4.2 },
	{ "CVSS:3.0/AV:N/AC:L/PR:L/UI:N/S:U/C:H/I:H/A:H", 8.8, 8.8 },
	{ "CVSS:3.1/AV:N/AC:L/PR:L/UI:N/S:U/C:H/I:H/A:H", 8.8, 8.8 },
	{ "CVSS:3.0/AV:L/AC:L/PR:N/UI:R/S:U/C:H/I:H/A:H", 7.8, 7.8 },
	{ "CVSS:3.1/AV:L/AC:L/PR:N/UI:R/S:U/C:H/I:H/A:H", 7.8, 7.8 },
	{ "CVSS:3.0/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N", 7.5, 7.5 },
	{ "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N", 7.5, 7.5 },
	{ "CVSS:3.0/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", 9.8, 9.8 },
	{ "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", 9.8, 9.8 },
	{ "CVSS:3.0/AV:N/AC:H/PR:N/UI:N/S:C/C:N/I:H/A:N", 6.8, 6.8 },
	{ "CVSS:3.1/AV:N/AC:H/PR:N/UI:N/S:C/C:N/I:H/A:N", 6.8, 6.8 },
	{ "CVSS:3.0/AV:P/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", 6.8, 6.8 },
	{ "CVSS:3.1/AV:P/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", 6.8, 6.8 },
	{ "CVSS:3.0/AV:N/AC:L/PR:N/UI:N/S:C/C:L/I:N/A:N", 5.8, 5.8 },
	{ "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:C/C:L/I:N/A:N", 5.8, 5.8 },
	{ "CVSS:3.0/AV:N/AC:L/PR:N/UI:N/S:C/C:N/I:L/A:N", 5.8, 5.8 },
	{ "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:C/C:N/I:L/A:N", 5.8, 5.8 },
	{ "CVSS:3.0/AV:A/AC:L/PR:N/UI:N/S:C/C:H/I:N/A:H", 9.3, 9.3 },
	{ "CVSS:3.1/AV:A/AC:L/PR:N/UI:N/S:C/C:H/I:N/A:H", 9.3, 9.3 },
	{ "CVSS:3.0/AV:N/AC:L/PR:L/UI:R/S:C/C:L/I:L/A:N", 5.4, 5.4 },
	{ "CVSS:3.1/AV:N/AC:L/PR:L/UI:R/S:C/C:L/I:L/A:N", 5.4, 5.4 },
	{ "CVSS:3.0/AV:A/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", 8.8, 8.8 },
	{ "CVSS:3.1/AV:A/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", 8.8, 8.8 },
	{ "CVSS:3.0/AV:P/AC:L/PR:N/UI:N/S:U/C:N/I:H/A:N", 4.6, 4.6 },
	{ "CVSS:3.1/AV:P/AC:L/PR:N/UI:N/S:U/C:N/I:H/A:N", 4.6, 4.6 },
	{ "CVSS:3.0/AV:N/AC:L/PR:N/UI:R/S:U/C:H/I:H/A:H", 8.8, 8.8 },
	{ "CVSS:3.1/AV:N/AC:L/PR:N/UI:R/S:U/C:H/I:H/A:H", 8.8, 8.8 },
	{ "CVSS:3.0/AV:N/AC:H/PR:N/UI:N/S:U/C:H/I:H/A:N", 7.4, 7.4 },
	{ "CVSS:3.1/AV:N/AC:H/PR:N/UI:N/S:U/C:H/I:H/A:N", 7.4, 7.4 },
	{ "CVSS:3.0/AV:N/AC:H/PR:N/UI:R/S:U/C:H/I:H/A:N", 6.8, 6.8 },
	{ "CVSS:3.1/AV:N/AC:H/PR:N/UI:R/S:U/C:H/I:H/A:N", 6.8, 6.8 },
	{ "CVSS:3.0/AV:N/AC:H/PR:N/UI:R/S:U/C:H/I:H/A:H", 7.5, 7.5 },
	{ "CVSS:3.1/AV:N/AC:H/PR:N/UI:R/S:U/C:H/I:H/A:H", 7.5, 7.5 },
	{ "CVSS:3.0/AV:L/AC:H/PR:H/UI:N/S:C/C:H/I:H/A:H", 7.5, 7.5 },
	{ "CVSS:3.1/AV:L/AC:H/PR:H/UI:N/S:C/C:H/I:H/A:H", 7.5, 7.5 },
	{ "CVSS:3.0/AV:P/AC:H/PR:H/UI:R/S:U/C:N/I:N/A:N", 0.0, 0.0 },
	{ "CVSS:3.1/AV:P/AC:H/PR:H/UI:R/S:U/C:N/I:N/A:N", 0.0, 0.0 },
	{ "CVSS:3.0/AV:N/AC:L/PR:N/UI:N/S:C/C:H/I:H/A:H", 10.0, 10.0 },
	{ "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:C/C:H/I:H/A:H", 10.0, 10.0 },
	{ "CVSS:3.0/AV:L/AC:L/PR:N/UI:N/S:C/C:H/I:H/A:H", 9.3, 9.3 },
	{ "CVSS:3.1/AV:L/AC:L/PR:N/UI:N/S:C/C:H/I:H/A:H", 9.3, 9.3 },
	{ "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H/E:U/RL:O/RC:C", 9.8, 8.5 },
	{ "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H/E:X/RL:X/RC:X", 9.8, 9.8 },
	{ "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H/MC:N/MI:N/MA:N", 9.8, 0.0 },
	{ "CVSS:3.1/AV:L/AC:L/PR:N/UI:N/S:C/C:H/I:H/A:H/MAV:X", 9.3, 9.3 },
	{ "CVSS:3.1/AV:L/AC:L/PR:N/UI:N/S:C/C:H/I:H/A:H/MAV:L", 9.3, 9.4 },
	{ "CVSS:3.0/AV:L/AC:L/PR:N/UI:N/S:C/C:H/I:H/A:H/MAV:L", 9.3, 9.3 },
	{ "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H/E:P/RL:O/RC:C/", 9.8, 8.8 },
};

/* CVSS 4.0: the examples document, and answers of FIRST's calculator. */
static const struct example examples4[] = {
	{ "CVSS:4.0/AV:L/AC:L/AT:P/PR:L/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N", -1, 7.3 },
	{ "CVSS:4.0/AV:N/AC:L/AT:P/PR:N/UI:P/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N", -1, 7.7 },
	{ "CVSS:4.0/AV:N/AC:L/AT:P/PR:N/UI:P/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N/E:U", -1, 5.2 },
	{ "CVSS:4.0/AV:N/AC:L/AT:P/PR:N/UI:N/VC:H/VI:L/VA:L/SC:N/SI:N/SA:N", -1, 8.3 },
	{ "CVSS:4.0/AV:N/AC:L/AT:P/PR:N/UI:N/VC:H/VI:L/VA:L/SC:N/SI:N/SA:N/CR:H/IR:L/AR:L/MAV:N/"
	  "MAC:H/MVC:H/MVI:L/MVA:L",
	  -1, 8.1 },
	{ "CVSS:4.0/AV:L/AC:L/AT:N/PR:N/UI:A/VC:L/VI:N/VA:N/SC:N/SI:N/SA:N", -1, 4.6 },
	{ "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:A/VC:N/VI:N/VA:N/SC:L/SI:L/SA:N", -1, 5.1 },
	{ "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:N/VI:N/VA:N/SC:L/SI:L/SA:N", -1, 6.9 },
	{ "CVSS:4.0/AV:L/AC:L/AT:N/PR:H/UI:N/VC:N/VI:N/VA:N/SC:H/SI:N/SA:N", -1, 5.9 },
	{ "CVSS:4.0/AV:L/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:H/SI:H/SA:H", -1, 9.4 },
	{ "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:N/VI:H/VA:N/SC:H/SI:H/SA:H", -1, 9.3 },
	{ "CVSS:4.0/AV:P/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:H/SA:N/S:P/V:D", -1, 8.3 },
	{ "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:H/SI:H/SA:H/E:A", -1, 10.0 },
	{ "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N/E:A", -1, 9.3 },
	{ "CVSS:4.0/AV:N/AC:H/AT:P/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N", -1, 9.2 },
	{ "CVSS:4.0/AV:N/AC:H/AT:P/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N/E:P", -1, 8.2 },
	{ "CVSS:4.0/AV:N/AC:H/AT:P/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N/E:P/MAC:L/MAT:N/MVC:N/"
	  "MVI:N/MVA:L",
	  -1, 5.5 },
	{ "CVSS:4.0/AV:N/AC:L/AT:N/PR:L/UI:N/VC:H/VI:N/VA:N/SC:N/SI:N/SA:N", -1, 7.1 },
	{ "CVSS:4.0/AV:N/AC:L/AT:P/PR:N/UI:N/VC:H/VI:N/VA:N/SC:N/SI:N/SA:N", -1, 8.2 },
	{ "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:N/VI:N/VA:H/SC:N/SI:N/SA:L", -1, 8.7 },
	{ "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:N/VI:N/VA:H/SC:N/SI:N/SA:L/E:U", -1, 6.6 },
	{ "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:N/VI:N/VA:H/SC:N/SI:N/SA:L/E:U/MVA:H/MSA:N", -1,
	  6.6 },
	{ "CVSS:4.0/AV:N/AC:L/AT:N/PR:L/UI:P/VC:N/VI:N/VA:N/SC:L/SI:L/SA:N", -1, 5.1 },
	{ "CVSS:4.0/AV:N/AC:L/AT:N/PR:L/UI:A/VC:H/VI:H/VA:H/SC:L/SI:L/SA:N", -1, 8.5 },
	{ "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:A/VC:N/VI:L/VA:N/SC:N/SI:N/SA:N", -1, 5.1 },
	{ "CVSS:4.0/AV:L/AC:L/AT:N/PR:H/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N/R:I", -1, 8.4 },
	{ "CVSS:4.0/AV:L/AC:L/AT:P/PR:H/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N/R:I", -1, 7.1 },
	{ "CVSS:4.0/AV:P/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N", -1, 7.0 },
	{ "CVSS:4.0/AV:A/AC:L/AT:N/PR:N/UI:N/VC:N/VI:L/VA:N/SC:H/SI:N/SA:H", -1, 6.4 },
	{ "CVSS:4.0/AV:L/AC:L/AT:N/PR:H/UI:N/VC:H/VI:H/VA:H/SC:H/SI:H/SA:H/R:I", -1, 9.3 },
	{ "CVSS:4.0/AV:L/AC:L/AT:P/PR:H/UI:N/VC:H/VI:H/VA:H/SC:H/SI:H/SA:H/R:I", -1, 8.7 },
	{ "CVSS:4.0/AV:P/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:H/SI:H/SA:H", -1, 8.6 },
	{ "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:N/VA:N/SC:N/SI:N/SA:N", -1, 8.7 },
	{ "CVSS:4.0/AV:N/AC:L/AT:N/PR:H/UI:N/VC:H/VI:N/VA:N/SC:N/SI:N/SA:N", -1, 6.9 },
	{ "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:N/VI:N/VA:N/SC:N/SI:L/SA:N", -1, 6.9 },
	{ "CVSS:4.0/AV:L/AC:L/AT:N/PR:N/UI:P/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N/S:P", -1, 8.5 },
	{ "CVSS:4.0/AV:N/AC:L/AT:N/PR:L/UI:N/VC:H/VI:H/VA:H/SC:H/SI:H/SA:H/S:P/AU:Y/V:C/RE:L", -1,
	  9.4 },
	{ "CVSS:4.0/AV:N/AC:L/AT:N/PR:L/UI:N/VC:H/VI:H/VA:H/SC:H/SI:H/SA:H/E:P/CR:L/IR:H/AR:L/"
	  "MAV:L/MAC:H/MAT:N/MPR:N/MUI:N/MVC:N/MVI:H/MVA:L/MSC:N/MSI:S/MSA:L",
	  -1, 7.0 },
	{ "CVSS:4.0/AV:N/AC:L/AT:N/PR:L/UI:N/VC:H/VI:H/VA:H/SC:H/SI:H/SA:H/MAV:A/MAC:H/MAT:N/MPR:L/"
	  "MUI:N/MVC:L/MVI:H/MVA:H/MSC:L/MSI:S/MSA:S/CR:L/IR:H/AR:H/E:P",
	  -1, 7.4 },
	{ "CVSS:4.0/AV:N/AC:L/AT:N/PR:L/UI:N/VC:H/VI:H/VA:H/SC:H/SI:H/SA:H/MAV:N/MAC:H/MAT:N/MPR:L/"
	  "MUI:N/MVC:H/MVI:H/MVA:H/MSC:H/MSI:S/MSA:H/CR:M/IR:H/AR:M/E:P",
	  -1, 8.7 },
	{ "CVSS:4.0/AV:A/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:N/SC:N/SI:N/SA:N/S:P", -1, 8.6 },
	{ "CVSS:4.0/AV:A/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:N/SC:N/SI:N/SA:N/MSI:S/S:P", -1, 9.7 },
	{ "CVSS:4.0/AV:L/AC:H/AT:N/PR:L/UI:P/VC:L/VI:H/VA:L/SC:N/SI:N/SA:N/CR:M/IR:M/AR:M/MAV:N/"
	  "MAC:H/MAT:N/MPR:L/MUI:N/MVC:H/MVI:L/MVA:H/MSC:L/MSI:S/MSA:S/AU:Y/R:I/V:C/RE:L/U:Amber",
	  -1, 7.7 },
	{ "CVSS:4.0/AV:L/AC:H/AT:N/PR:L/UI:P/VC:L/VI:H/VA:L/SC:N/SI:N/SA:N/E:U/CR:M/IR:M/AR:M/"
	  "MAV:N/MAC:H/MAT:N/MPR:L/MUI:N/MVC:H/MVI:L/MVA:H/MSC:L/MSI:S/MSA:S/AU:Y/R:I/V:C/RE:L/"
	  "U:Amber",
	  -1, 5.5 },
	{ "CVSS:4.0/AV:A/AC:H/AT:N/PR:L/UI:P/VC:L/VI:H/VA:L/SC:N/SI:N/SA:N", -1, 4.4 },
	{ "CVSS:4.0/AV:L/AC:H/AT:P/PR:H/UI:A/VC:L/VI:L/VA:N/SC:N/SI:N/SA:N", -1, 1.0 },
	{ "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N/E:P", -1, 8.9 },
	{ "CVSS:4.0/AV:A/AC:H/AT:N/PR:L/UI:P/VC:L/VI:H/VA:L/SC:N/SI:N/SA:N/E:P", -1, 1.6 },
	{ "CVSS:4.0/AV:L/AC:H/AT:P/PR:H/UI:A/VC:L/VI:L/VA:N/SC:N/SI:N/SA:N/E:P", -1, 0.3 },
	{ "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N/E:U", -1, 8.1 },
	{ "CVSS:4.0/AV:A/AC:H/AT:N/PR:L/UI:P/VC:L/VI:H/VA:L/SC:N/SI:N/SA:N/E:U", -1, 0.7 },
	{ "CVSS:4.0/AV:L/AC:H/AT:P/PR:H/UI:A/VC:L/VI:L/VA:N/SC:N/SI:N/SA:N/E:U", -1, 0.1 },
	{ "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:N/SC:N/SI:N/SA:H", -1, 9.9 },
	{ "CVSS:4.0/AV:N/AC:L/AT:N/PR:L/UI:N/VC:H/VI:L/VA:L/SC:H/SI:L/SA:L", -1, 8.5 },
	{ "CVSS:4.0/AV:N/AC:L/AT:N/PR:L/UI:N/VC:H/VI:L/VA:L/SC:N/SI:L/SA:L", -1, 7.2 },
	{ "CVSS:4.0/AV:N/AC:L/AT:N/PR:L/UI:N/VC:N/VI:L/VA:L/SC:H/SI:L/SA:L", -1, 6.4 },
	{ "CVSS:4.0/AV:N/AC:L/AT:N/PR:L/UI:N/VC:N/VI:L/VA:L/SC:N/SI:L/SA:L", -1, 5.3 },
	{ "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:N/VI:N/VA:N/SC:N/SI:N/SA:N", -1, 0.0 },
};

static long tenths(double score)
{
	return (long)(score * 10 + 0.5);
}

static void check_example(const struct example *e)
{
	struct sap_cvss cvss = { .version = SAP_CVSS_NONE };
	char what[300];

	snprintf(what, sizeof(what), "%s", e->vector);
	if (!check_true(__FILE__, __LINE__, what, sap_cvss_parse(sap_str_of(e->vector), &cvss)))
		return;
	if (e->base >= 0)
		check_int(__FILE__, __LINE__, what, tenths(cvss.base), tenths(e->base));
	check_int(__FILE__, __LINE__, what, tenths(cvss.score), tenths(e->score));
}

static void test_examples(void)
{
	for (size_t i = 0; i < sizeof(examples) / sizeof(examples[0]); i++)
		check_example(&examples[i]);
	for (size_t i = 0; i < sizeof(examples4) / sizeof(examples4[0]); i++)
		check_example(&examples4[i]);
}

static void test_invalid(void)
{
	static const char *const vectors[] = {
		"",
		"/",
		"CVSS:3.1",
		"CVSS:3.1/",
		"CVSS:3.1//",
		"CVSS:3.2/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H",
		"cvss:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H",
		"AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H",
		"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H",
		"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H//",
		"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H/A:H",
		"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:X",
		"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:",
		"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A",
		"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H/E:Z",
		"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H/AT:N",
		"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H ",
		"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:N L",
		"AV:N/AC:L/Au:N/C:P/I:P",
		"(AV:N/AC:L/Au:N/C:P/I:P/A:P",
		"AV:N/AC:L/AU:N/C:P/I:P/A:P",
		"AV:N/AC:L/Au:N/C:P/I:P/A:H",
		"CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N",
		"CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:S/SA:N",
		"CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N/MSC:S",
		"CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N/U:red",
		"CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N/E:F",
	};

	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		struct sap_cvss cvss = { .base = 99 };

		check_true(__FILE__, __LINE__, vectors[i],
			   !sap_cvss_parse(sap_str_of(vectors[i]), &cvss) && cvss.base > 98);
	}
}

/* Each vector cut at each byte, and with each byte another one, is read or refused. */
static void test_cut(void)
{
	static const char vector[] =
		"CVSS:4.0/AV:A/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:N/SC:N/SI:N/SA:N/MSI:S/S:P/U:Amber";
	unsigned read = 0;

	for (size_t n = 0; n < sizeof(vector); n++) {
		char *copy = malloc(n ? n : 1);
		struct sap_cvss cvss;

		if (!copy)
			exit(2);
		memcpy(copy, vector, n);
		read += sap_cvss_parse((struct sap_str){ copy, n }, &cvss);
		for (size_t i = 0; i < n; i++) {
			copy[i] = (char)(copy[i] ^ 1);
			sap_cvss_parse((struct sap_str){ copy, n }, &cvss);
			copy[i] = vector[i];
		}
		free(copy);
	}
	/* Whole base metrics; then MSI, S, U whole; each also with the "/" behind. */
	CHECK_INT(read, 7);
}

static void test_letters(void)
{
	struct sap_cvss c = { .version = SAP_CVSS_NONE };

	CHECK(sap_cvss_parse(SAP_STR("AV:A/AC:M/Au:S/C:N/I:P/A:C"), &c));
	CHECK(c.version == SAP_CVSS_2 && c.attack_vector == 'A' && c.attack_complexity == 'M');
	CHECK(c.privileges_required == 'S' && c.user_interaction == 0 && c.scope == 0);
	CHECK(c.confidentiality == 'N' && c.integrity == 'P' && c.availability == 'C');
	CHECK(sap_cvss_parse(SAP_STR("CVSS:3.0/AV:P/AC:H/PR:L/UI:R/S:C/C:N/I:L/A:H"), &c));
	CHECK(c.version == SAP_CVSS_30 && c.attack_vector == 'P' && c.attack_complexity == 'H');
	CHECK(c.privileges_required == 'L' && c.user_interaction == 'R' && c.scope == 'C');
	CHECK(c.confidentiality == 'N' && c.integrity == 'L' && c.availability == 'H');
	CHECK(sap_cvss_parse(
		SAP_STR("CVSS:4.0/SA:N/AV:L/AC:H/AT:P/PR:H/UI:P/VC:L/VI:N/VA:H/SC:N/SI:N"), &c));
	CHECK(c.version == SAP_CVSS_40 && c.attack_vector == 'L' && c.attack_complexity == 'H');
	CHECK(c.privileges_required == 'H' && c.user_interaction == 'P' && c.scope == 0);
	CHECK(c.confidentiality == 'L' && c.integrity == 'N' && c.availability == 'H');
}

static void test_ratings(void)
{
	static const struct {
		double score;
		const char *two, *later;
	} table[] = {
		{ 0.0, "low", "none" },       { 0.1, "low", "low" },
		{ 3.9, "low", "low" },        { 4.0, "medium", "medium" },
		{ 6.9, "medium", "medium" },  { 7.0, "high", "high" },
		{ 8.9, "high", "high" },      { 9.0, "high", "critical" },
		{ 10.0, "high", "critical" },
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct sap_cvss two = { .version = SAP_CVSS_2 }, four = { .version = SAP_CVSS_40 };

		CHECK_STR(sap_str_of(sap_cvss_rating(&two, table[i].score)), table[i].two);
		CHECK_STR(sap_str_of(sap_cvss_rating(&four, table[i].score)), table[i].later);
	}
}

/* The metrics of 4.0 that count, their values from the most severe to the least. */
static const struct {
	const char *name, *values;
} severity[] = {
	{ "AV", "NALP" },  { "AC", "LH" },    { "AT", "NP" },  { "PR", "NLH" }, { "UI", "NPA" },
	{ "VC", "HLN" },   { "VI", "HLN" },   { "VA", "HLN" }, { "SC", "HLN" }, { "SI", "HLN" },
	{ "SA", "HLN" },   { "E", "APU" },    { "CR", "HML" }, { "IR", "HML" }, { "AR", "HML" },
	{ "MSI", "SHLN" }, { "MSA", "SHLN" },
};

#define SEVERITIES (sizeof(severity) / sizeof(severity[0]))

static long score4(const unsigned char *level)
{
	struct sap_cvss cvss;
	char text[256];
	size_t n = 8;

	memcpy(text, "CVSS:4.0", n);
	for (size_t i = 0; i < SEVERITIES; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "/%s:%c", severity[i].name,
				      severity[i].values[level[i]]);
	return sap_cvss_parse((struct sap_str){ text, n }, &cvss) ? tenths(cvss.score) : -1;
}

/* A vector that is less severe in one metric never scores higher. */
static void test_monotony(void)
{
	uint32_t seed = 20240329;
	unsigned wrong = 0, zero = 0;

	for (unsigned round = 0; round < 4000; round++) {
		unsigned char level[SEVERITIES];
		long score;

		for (size_t i = 0; i < SEVERITIES; i++) {
			seed = seed * 1664525u + 1013904223u;
			level[i] = (unsigned char)((seed >> 16) % strlen(severity[i].values));
		}
		score = score4(level);
		zero += score == 0;
		wrong += score < 0 || score > 100;
		for (size_t i = 0; i < SEVERITIES; i++) {
			if (!severity[i].values[level[i] + 1])
				continue;
			level[i]++;
			wrong += score4(level) > score;
			level[i]--;
		}
	}
	CHECK_INT(wrong, 0);
	CHECK(zero < 200);
}

static void check_line(int number, struct sap_str line)
{
	struct sap_str base, score, vector;
	struct sap_cvss cvss;
	char what[400], got[32];

	sap_str_cut(line, ' ', &base, &line);
	sap_str_cut(line, ' ', &score, &vector);
	snprintf(what, sizeof(what), "%.*s", SAP_FMT(vector));
	if (!sap_cvss_parse(vector, &cvss)) {
		check_true(__FILE__, number, what, sap_str_is(base, "invalid"));
		return;
	}
	snprintf(got, sizeof(got), "%.1f", cvss.base);
	if (sap_str_is(score, "either")) {
		if (!sap_str_eq(sap_str_of(got), base))
			snprintf(got, sizeof(got), "%.1f", cvss.score);
		check_str(__FILE__, number, what, sap_str_of(got), base);
		return;
	}
	if (!sap_str_is(base, "-"))
		check_str(__FILE__, number, what, sap_str_of(got), base);
	snprintf(got, sizeof(got), "%.1f", cvss.score);
	if (!sap_str_is(score, "-"))
		check_str(__FILE__, number, what, sap_str_of(got), score);
}

static void check_file(const char *path)
{
	FILE *file = fopen(path, "r");
	char *line = NULL;
	size_t cap = 0;
	ssize_t n;
	int number = 0;

	if (!file) {
		CHECK(file != NULL);
		return;
	}
	while ((n = getline(&line, &cap, file)) > 0)
		check_line(++number, (struct sap_str){ line, (size_t)n - 1 });
	free(line);
	fclose(file);
}

int main(int argc, char **argv)
{
	if (argc > 1) {
		check_file(argv[1]);
		return check_done();
	}
	test_examples();
	test_invalid();
	test_cut();
	test_letters();
	test_ratings();
	test_monotony();
	return check_done();
}
