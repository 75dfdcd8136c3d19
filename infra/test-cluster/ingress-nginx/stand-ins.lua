-- Libraries that ingress-nginx loads and Debian does not have. Only the first is ever called: the others belong to
-- features that no test uses (session affinity, OCSP, global rate limits, names in place of addresses).
local round_robin = {}
round_robin.__index = round_robin

function round_robin:new(nodes)
  local instance = setmetatable({}, self)
  instance:reinit(nodes)
  return instance
end

function round_robin:reinit(nodes)
  self.nodes, self.names, self.last = nodes, {}, 0
  for name in pairs(nodes) do table.insert(self.names, name) end
end

function round_robin:find()
  self.last = self.last % #self.names + 1
  return self.names[self.last]
end

local libraries = {
  ["resty.roundrobin"] = round_robin,
  ["resty.lock"] = { new = function() return {} end },
  ["resty.dns.resolver"] = { TYPE_A = 1, TYPE_AAAA = 28 },
}
for _, unused in ipairs({ "chash", "cookie", "global_throttle", "http", "ipmatcher" }) do
  libraries["resty." .. unused] = {}
end
for name, library in pairs(libraries) do package.loaded[name] = library end
