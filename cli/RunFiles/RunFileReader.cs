using System.Globalization;
using DaprPlatform.Cli.Processes;
using YamlDotNet.Core;
using YamlDotNet.RepresentationModel;

namespace DaprPlatform.Cli.RunFiles;

/// <summary>
/// Reads Dapr's multi-app run file (https://docs.dapr.io/developing-applications/local-development/multi-app-dapr-run/multi-app-template/),
/// with the precedence and path rules of the Dapr CLI. A field that the CLI does not know is an error here.
/// </summary>
internal sealed class RunFileReader
{
    private static readonly string[] Top = ["version", "name", "common", "apps"];

    private static readonly string[] Shared =
    [
        "configFilePath", "appProtocol", "apiListenAddresses", "enableProfiling", "logLevel", "appMaxConcurrency", "placementHostAddress", "schedulerHostAddress",
        "resourcesPath", "resourcesPaths", "appSSL", "maxBodySize", "readBufferSize", "enableAppHealthCheck", "appHealthCheckPath", "appHealthProbeInterval",
        "appHealthProbeTimeout", "appHealthThreshold", "enableApiLogging", "runtimePath", "env", "daprdLogDestination", "appLogDestination",
    ];

    private static readonly string[] PerApp =
    [
        .. Shared, "appID", "appDirPath", "appPort", "appChannelAddress", "daprHTTPPort", "daprGRPCPort", "daprInternalGRPCPort", "profilePort", "metricsPort",
        "unixDomainSocket", "command", "containerImage", "containerImagePullPolicy", "createService",
    ];

    private const string PortSuffix = "_PORT";

    private readonly string _path;
    private readonly string _name;
    private readonly int _offset;
    private readonly List<RunFileError> _errors = [];

    private RunFileReader(string path, int offset)
    {
        _path = Path.GetFullPath(path);
        _name = Path.GetFileName(path);
        _offset = offset;
    }

    private string Folder => Path.GetDirectoryName(_path)!;

    /// <param name="path">The file, or a folder with a <c>dapr.yaml</c>.</param>
    /// <param name="portOffset">Added to every port of the file, those in env variables whose name ends in _PORT included.</param>
    /// <exception cref="RunFileException">It is not such a file; every error is listed.</exception>
    /// <exception cref="CommandException">There is no such file.</exception>
    public static RunFile Read(string path, int portOffset = 0)
    {
        if (Directory.Exists(path))
            path = Path.Combine(path, "dapr.yaml");
        if (!File.Exists(path))
            throw new CommandException($"There is no run file {path}.");
        return new RunFileReader(path, portOffset).Read(File.ReadAllText(path));
    }

    internal RunFile Read(string text)
    {
        var stream = new YamlStream();
        try
        {
            stream.Load(new StringReader(text));
        }
        catch (YamlException e)
        {
            throw new RunFileException([new RunFileError(_name, (int)e.Start.Line, "", e.InnerException?.Message ?? e.Message)]);
        }

        if (stream.Documents.Count != 1)
            throw new RunFileException([new RunFileError(_name, 1, "", stream.Documents.Count == 0 ? "the file is empty" : "the file must hold one document")]);

        var root = stream.Documents[0].RootNode;
        var top = Fields(root, Top, "");
        if (top.Integer("version") is not 1)
            top.Error(top.Node("version") ?? root, "version", "must be 1");
        var name = top.Text("name");
        var common = Fields(top.Node("common"), Shared, "common");
        var apps = new List<RunApp>();
        if (top.Node("apps") is not YamlSequenceNode { Children.Count: > 0 } list)
        {
            top.Error(top.Node("apps") ?? root, "apps", "must be a list of at least one app");
        }
        else
        {
            for (var i = 0; i < list.Children.Count; i++)
            {
                if (ReadApp(list.Children[i], $"apps[{i}]", common) is { } app)
                    apps.Add(app);
            }
        }

        CheckUnique(apps);
        return _errors.Count == 0 ? new RunFile(_path, name, apps) : throw new RunFileException([.. _errors.Distinct().OrderBy(e => e.Line)]);
    }

    private YamlFields Fields(YamlNode? node, IReadOnlyCollection<string> known, string path) => new(node, known, path, _name, _errors);

    private RunApp? ReadApp(YamlNode node, string path, YamlFields common)
    {
        var own = Fields(node, PerApp, path);
        if (own.Text("appDirPath") is not { } relative)
        {
            own.Error(own.Node("appDirPath") ?? node, "appDirPath", "is required");
            return null;
        }

        var folder = Path.GetFullPath(Path.Combine(Folder, relative));
        if (!Directory.Exists(folder))
        {
            own.Error(own.Node("appDirPath")!, "appDirPath", $"there is no folder {folder}");
            return null;
        }

        var appId = own.Text("appID") ?? Path.GetFileName(folder);
        if (appId.Contains('.', StringComparison.Ordinal))
            own.Error(own.Node("appID") ?? node, "appID", "must not contain dots");

        // The common section's ports of env variables are shifted too: they are its apps' ports.
        var environment = new Dictionary<string, string>();
        var settings = new Dictionary<string, Setting>();
        foreach (var (name, (value, setting)) in common.TextMap("env").Concat(own.TextMap("env")))
        {
            environment[name] = Shifted(name, value, setting);
            settings[name] = setting;
        }

        ConfiguredPort? metrics = environment.TryGetValue("METRICS_PORT", out var text) && int.TryParse(text, CultureInfo.InvariantCulture, out var port)
            ? new ConfiguredPort(port, settings["METRICS_PORT"])
            : null;
        var protocol = own.OneOf("appProtocol", "http", "https", "grpc", "grpcs", "h2c") ?? common.OneOf("appProtocol", "http", "https", "grpc", "grpcs", "h2c") ?? "http";
        if ((own.Boolean("appSSL") ?? common.Boolean("appSSL")) == true)
            protocol = protocol switch { "http" => "https", "grpc" => "grpcs", _ => protocol };

        return new RunApp
        {
            AppId = appId,
            Folder = folder,
            AppPort = own.Port("appPort", _offset),
            AppProtocol = protocol,
            DaprHttpPort = own.Port("daprHTTPPort", _offset) ?? Free(),
            DaprGrpcPort = own.Port("daprGRPCPort", _offset) ?? Free(),
            DaprInternalGrpcPort = own.Port("daprInternalGRPCPort", _offset),
            MetricsPort = own.Port("metricsPort", _offset),
            ProfilePort = own.Port("profilePort", _offset),
            OwnMetricsPort = metrics,
            Command = own.TextList("command") ?? [],
            Environment = environment,
            EnvironmentSettings = settings,
            ResourcesPaths = Resources(own, common, folder),
            PortOffset = _offset,
            ConfigPath = Config(own, common, folder),
            AppChannelAddress = own.Text("appChannelAddress"),
            ApiListenAddresses = own.Text("apiListenAddresses") ?? common.Text("apiListenAddresses"),
            AppMaxConcurrency = own.Integer("appMaxConcurrency") ?? common.Integer("appMaxConcurrency"),
            EnableAppHealthCheck = own.Boolean("enableAppHealthCheck") ?? common.Boolean("enableAppHealthCheck") ?? false,
            AppHealthCheckPath = own.Text("appHealthCheckPath") ?? common.Text("appHealthCheckPath"),
            AppHealthProbeInterval = own.Integer("appHealthProbeInterval", 0) ?? common.Integer("appHealthProbeInterval", 0),
            AppHealthProbeTimeout = own.Integer("appHealthProbeTimeout", 0) ?? common.Integer("appHealthProbeTimeout", 0),
            AppHealthThreshold = own.Integer("appHealthThreshold", 0) ?? common.Integer("appHealthThreshold", 0),
            EnableApiLogging = own.Boolean("enableApiLogging") ?? common.Boolean("enableApiLogging"),
            EnableProfiling = own.Boolean("enableProfiling") ?? common.Boolean("enableProfiling") ?? false,
            LogLevel = own.OneOf("logLevel", "debug", "info", "warn", "error", "fatal") ?? common.OneOf("logLevel", "debug", "info", "warn", "error", "fatal"),
            UnixDomainSocket = own.Text("unixDomainSocket"),
            MaxBodySize = own.Size("maxBodySize") ?? common.Size("maxBodySize"),
            ReadBufferSize = own.Size("readBufferSize") ?? common.Size("readBufferSize"),
            PlacementHostAddress = own.TextOrEmpty("placementHostAddress") ?? common.TextOrEmpty("placementHostAddress") ?? "localhost:50005",
            SchedulerHostAddress = own.TextOrEmpty("schedulerHostAddress") ?? common.TextOrEmpty("schedulerHostAddress") ?? "localhost:50006",
        };
    }

    private static ConfiguredPort Free() => new(PortOwners.FindFree(), null);

    private string Shifted(string name, string value, Setting setting)
    {
        if (_offset == 0 || !name.EndsWith(PortSuffix, StringComparison.Ordinal) || !int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out var port) || port == 0)
            return value;
        if (port + _offset is > 0 and <= 65535 and var shifted)
            return shifted.ToString(CultureInfo.InvariantCulture);
        _errors.Add(new RunFileError(_name, setting.Line, setting.Field, $"{port} plus the port offset {_offset} is not a port"));
        return value;
    }

    // app > <appDir>/.dapr/resources > common > ~/.dapr/components
    private List<string> Resources(YamlFields own, YamlFields common, string folder)
    {
        if (Paths(own, folder) is { } given)
            return given;
        var beside = Path.Combine(folder, ".dapr", "resources");
        if (Directory.Exists(beside))
            return [beside];
        if (Paths(common, Folder) is { } shared)
            return shared;
        var home = Path.Combine(Home, "components");
        return Directory.Exists(home) ? [home] : [];
    }

    private static List<string>? Paths(YamlFields fields, string from)
    {
        var field = fields.Node("resourcesPaths") is not null ? "resourcesPaths" : "resourcesPath";
        IReadOnlyList<string>? given = field == "resourcesPaths" ? fields.TextList(field) : fields.Text(field) is { } one ? [one] : null;
        if (given is null || given.Count == 0)
            return null;
        var paths = given.Select(p => Path.GetFullPath(Path.Combine(from, p))).ToList();
        foreach (var missing in paths.Where(p => !Directory.Exists(p)))
            fields.Error(fields.Node(field)!, field, $"there is no folder {missing}");
        return paths;
    }

    // app > <appDir>/.dapr/config.yaml > common > ~/.dapr/config.yaml
    private string? Config(YamlFields own, YamlFields common, string folder)
    {
        if (ConfigFile(own, folder) is { } given)
            return given;
        var beside = Path.Combine(folder, ".dapr", "config.yaml");
        if (File.Exists(beside))
            return beside;
        if (ConfigFile(common, Folder) is { } shared)
            return shared;
        var home = Path.Combine(Home, "config.yaml");
        return File.Exists(home) ? home : null;
    }

    private static string? ConfigFile(YamlFields fields, string from)
    {
        if (fields.Text("configFilePath") is not { Length: > 0 } given)
            return null;
        var path = Path.GetFullPath(Path.Combine(from, given));
        if (!File.Exists(path))
            fields.Error(fields.Node("configFilePath")!, "configFilePath", $"there is no file {path}");
        return path;
    }

    private static string Home => Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".dapr");

    private void CheckUnique(List<RunApp> apps)
    {
        foreach (var twin in apps.GroupBy(a => a.AppId).Where(g => g.Count() > 1))
            _errors.Add(new RunFileError(_name, 1, "apps", $"the app id {twin.Key} stands more than once"));
        foreach (var port in new RunFile(_path, null, apps).Ports().GroupBy(p => p.Port.Number).Where(g => g.Count() > 1))
        {
            var settings = port.Select(p => p.Port.Setting).OfType<Setting>().ToList();
            if (settings.Count > 1)
                _errors.Add(new RunFileError(_name, settings[^1].Line, settings[^1].Field, $"port {port.Key} is taken by {settings[0].Field} (line {settings[0].Line}) already"));
        }
    }
}
