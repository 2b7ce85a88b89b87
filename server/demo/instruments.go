package demo

// symbol is a traded thing and roughly what it costs.
type symbol struct {
	name  string
	price float64 // US dollars
}

var symbols = [100]symbol{
	{"BTC", 91234}, {"ETH", 3045}, {"SOL", 138.2}, {"XRP", 2.12}, {"BNB", 905}, {"ADA", 0.468}, {"DOGE", 0.157}, {"TRX", 0.287},
	{"AVAX", 14.6}, {"LINK", 13.4}, {"DOT", 2.73}, {"LTC", 92.4}, {"BCH", 487}, {"XLM", 0.246}, {"UNI", 7.36}, {"ATOM", 2.92},
	{"ETC", 14.8}, {"FIL", 1.97}, {"HBAR", 0.147}, {"ICP", 4.87}, {"NEAR", 2.24}, {"APT", 2.91}, {"ARB", 0.237}, {"OP", 0.385},
	{"VET", 0.0152}, {"ALGO", 0.156}, {"AAVE", 179}, {"MKR", 1530}, {"GRT", 0.0598}, {"STX", 0.345}, {"IMX", 0.362}, {"INJ", 6.48},
	{"RNDR", 2.15}, {"SAND", 0.183}, {"MANA", 0.192}, {"AXS", 1.14}, {"THETA", 0.426}, {"EOS", 0.243}, {"XTZ", 0.541}, {"FLOW", 0.262},
	{"EGLD", 10.3}, {"KAVA", 0.137}, {"CHZ", 0.0304}, {"ZEC", 612}, {"DASH", 71.5}, {"NEO", 4.38}, {"IOTA", 0.118}, {"KSM", 9.72},
	{"CRV", 0.431}, {"SNX", 0.587}, {"COMP", 37.1}, {"YFI", 4210}, {"SUSHI", 0.412}, {"BAT", 0.231}, {"ZRX", 0.164}, {"ENJ", 0.0336},
	{"LRC", 0.0612}, {"1INCH", 0.189}, {"BAL", 0.713}, {"REN", 0.0071}, {"BAND", 0.428}, {"OCEAN", 0.281}, {"ANKR", 0.00752}, {"SKL", 0.0146},
	{"NMR", 12.9}, {"NU", 0.0431}, {"STORJ", 0.153}, {"CELO", 0.172}, {"ROSE", 0.0187}, {"ONE", 0.00463}, {"QTUM", 1.58}, {"ZIL", 0.00604},
	{"RVN", 0.00812}, {"WAVES", 0.862}, {"ICX", 0.0783}, {"ONT", 0.0741}, {"DGB", 0.00726}, {"SC", 0.00204}, {"GLM", 0.214}, {"FET", 0.268},
	{"AGLD", 0.361}, {"APE", 0.278}, {"BLUR", 0.0394}, {"DYDX", 0.224}, {"GALA", 0.00823}, {"GMX", 9.14}, {"JTO", 0.492}, {"JUP", 0.257},
	{"LDO", 0.708}, {"MINA", 0.0961}, {"PEPE", 0.00000478}, {"PYTH", 0.0847}, {"SEI", 0.146}, {"SHIB", 0.00000872}, {"SUI", 1.57}, {"TIA", 0.684},
	{"TON", 1.63}, {"WIF", 0.387}, {"WLD", 0.651}, {"BONK", 0.0000104},
}

// place is where sensors hang, and the climate there.
type place struct {
	name        string
	temperature float64 // °C
	humidity    float64 // % relative
}

const (
	sensorsPerPlace = 5
	sensorCount     = len(places) * sensorsPerPlace
)

var places = [...]place{
	{"indoor", 21.5, 44},
	{"outdoor", 9.2, 78},
	{"greenhouse", 26.4, 82},
	{"cellar", 12.8, 67},
}
