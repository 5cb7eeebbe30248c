package lab

import "strings"

// untracked are the message types that do not count as a kernel's activity, Jupyter's own list.
var untracked = []string{
	"comm_info_request", "comm_info_reply", "kernel_info_request", "kernel_info_reply", "shutdown_request", "shutdown_reply",
	"interrupt_request", "interrupt_reply", "debug_request", "debug_reply", "stream", "display_data", "update_display_data",
	"execute_input", "execute_result", "error", "status", "clear_output", "debug_event", "input_request", "input_reply",
}

// config gives the keys that both applications read from their page. All values are texts to the client but those of
// federated_extensions, which must be a real array, and booleans, which it turns into texts.
//
// Stock tells the server's folders too (serverRoot, staticDir, schemasDir …); the front end needs none of them, and they
// are nobody's business.
func (h *Handler) config(p page) map[string]any {
	baseURL := p.BaseURL
	config := map[string]any{
		"appName":      "JupyterLab",
		"appVersion":   h.tree.LabVersion,
		"appNamespace": "lab",
		"appUrl":       "/lab",
		"devMode":      false,
		"cacheFiles":   true,
		"store_id":     0,

		"baseUrl":       baseURL,
		"wsUrl":         "", // derived from baseUrl by the client
		"fullStaticUrl": baseURL + "static/lab",
		"frontendUrl":   baseURL,
		"preferredPath": "/",
		"token":         "", // the browser has a cookie
		"mathjaxConfig": "TeX-AMS_HTML-full,Safe",

		// Which API the server speaks: from 4 on, and below as [2, …] for Jupyter Server, uploads may come in chunks.
		"notebookVersion":         "[2, 21, 0]",
		"terminalsAvailable":      true,
		"delete_to_trash":         false,
		"allow_hidden_files":      false,
		"preferredPathIsHome":     false,
		"untracked_message_types": untracked,

		"buildAvailable":       false,
		"buildCheck":           false,
		"quitButton":           false, // nobody may end a server that all share
		"exposeAppInBrowser":   false,
		"copyAbsolutePath":     false,
		"notebookStartsKernel": true,
		"nbclassic_enabled":    false,
		"federated_extensions": h.tree.Extensions,
		"disabledExtensions":   h.disabled,
		"deferredExtensions":   []string{},
		"lockedExtensions":     []string{},
		"allLocked":            true,
		"ignorePlugins":        []string{},
	}
	addresses(config, baseURL)
	if p.notebook != "" {
		config["appName"] = "Jupyter Notebook"
		config["appVersion"] = h.tree.NotebookVersion
		config["notebookPage"] = p.notebook
		config["fullStaticUrl"] = baseURL + "static/notebook"
	}
	return config
}

// addresses adds the URLs that Lab has twice: below the base URL, and full.
func addresses(config map[string]any, baseURL string) {
	for key, path := range map[string]string{
		"appUrl":             "/lab",
		"labextensionsUrl":   "/lab/extensions",
		"licensesUrl":        "/lab/api/licenses",
		"listingsUrl":        "/lab/api/listings",
		"settingsUrl":        "/lab/api/settings",
		"themesUrl":          "/lab/api/themes",
		"translationsApiUrl": "/lab/api/translations",
		"treeUrl":            "/lab/tree",
		"workspacesApiUrl":   "/lab/api/workspaces",
	} {
		config[key] = path
		config["full"+strings.ToUpper(key[:1])+key[1:]] = strings.TrimSuffix(baseURL, "/") + path
	}
}
