using DaprPlatform.Cli.RunFiles;

namespace DaprPlatform.Cli.Tests;

public sealed class RunFileTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("platform-run-").FullName;

    public RunFileTests()
    {
        foreach (var name in (string[])["orders", "web", "components", "more"])
            Directory.CreateDirectory(Path.Combine(_folder, name));
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void The_apps_value_wins_over_the_common_one_and_env_sections_are_merged()
    {
        var file = Read("""
            version: 1
            common:
              logLevel: warn
              appProtocol: grpc
              env:
                A: common
                B: common
            apps:
              - appDirPath: ./orders
                logLevel: debug
                env:
                  B: own
                  C: 7
              - appID: shop
                appDirPath: ./web
                appProtocol: http
            """);

        var (orders, shop) = (file.Apps[0], file.Apps[1]);
        Assert.Equal(("orders", "debug", "grpc"), (orders.AppId, orders.LogLevel, orders.AppProtocol));
        Assert.Equal(("shop", "warn", "http"), (shop.AppId, shop.LogLevel, shop.AppProtocol));
        Assert.Equal(["A=common", "B=own", "C=7"], orders.Environment.Select(e => $"{e.Key}={e.Value}").Order());
    }

    [Fact]
    public void An_app_gets_what_dapr_run_would_give_it()
    {
        var app = Read("""
            version: 1
            apps:
              - appID: orders
                appDirPath: ./orders
                appPort: 6001
                daprHTTPPort: 3501
                daprGRPCPort: 50011
                metricsPort: 9191
            """).Apps[0];

        var environment = app.ProcessEnvironment();

        Assert.Equal(
            ["APP_CHANNEL_ADDRESS=", "APP_ID=orders", "APP_PORT=6001", "APP_PROTOCOL=http", "DAPR_GRPC_PORT=50011", "DAPR_HTTP_PORT=3501", "DAPR_METRICS_PORT=9191"],
            environment.Select(e => $"{e.Key}={e.Value}").Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Resources_are_the_apps_own_then_those_in_its_folder_then_the_common_ones()
    {
        Directory.CreateDirectory(Path.Combine(_folder, "web", ".dapr", "resources"));
        Directory.CreateDirectory(Path.Combine(_folder, "web", "mine"));

        RunFile With(string own) => Read($"""
            version: 1
            common:
              resourcesPaths: [./components]
            apps:
              - appDirPath: ./orders
              - appDirPath: ./web
            {own}
            """);

        Assert.Equal(["components"], Names(With("").Apps[0].ResourcesPaths));
        Assert.Equal(["resources"], Names(With("").Apps[1].ResourcesPaths));
        Assert.Equal(["mine"], Names(With("    resourcesPaths: [mine]").Apps[1].ResourcesPaths));

        static IEnumerable<string?> Names(IEnumerable<string> paths) => paths.Select(Path.GetFileName);
    }

    [Fact]
    public void The_port_offset_moves_every_port_and_every_variable_that_names_one()
    {
        var app = Read("""
            version: 1
            common:
              env:
                POSTGRES_PORT: 5432
                REPORT: 12
            apps:
              - appDirPath: ./orders
                appPort: 50052
                daprHTTPPort: 3502
                daprGRPCPort: 15002
                metricsPort: 19092
                env:
                  METRICS_PORT: 9095
                  SUPPORT_PORTS: 9
            """, offset: 1000).Apps[0];

        Assert.Equal((51052, 4502, 16002, 20092), (app.AppPort!.Value.Number, app.DaprHttpPort.Number, app.DaprGrpcPort.Number, app.MetricsPort!.Value.Number));
        Assert.Equal(("6432", "10095", "12", "9"), (app.Environment["POSTGRES_PORT"], app.Environment["METRICS_PORT"], app.Environment["REPORT"], app.Environment["SUPPORT_PORTS"]));
        Assert.Equal(10095, app.OwnMetricsPort!.Value.Number);
    }

    [Theory]
    [InlineData("version: 1\napps:\n  - appDirPath: ./orders\n    appPrt: 80\n", 4, "apps[0].appPrt", "did you mean appPort?")]
    [InlineData("version: 1\napps:\n  - appDirPath: ./orders\n    appPort: many\n", 4, "apps[0].appPort", "whole number")]
    [InlineData("version: 1\napps:\n  - appDirPath: ./orders\n    appPort: 70000\n", 4, "apps[0].appPort", "65535")]
    [InlineData("version: 2\napps:\n  - appDirPath: ./orders\n", 1, "version", "must be 1")]
    [InlineData("version: 1\n", 1, "apps", "at least one app")]
    [InlineData("version: 1\napps:\n  - appPort: 80\n", 3, "apps[0].appDirPath", "required")]
    [InlineData("version: 1\napps:\n  - appDirPath: ./nowhere\n", 3, "apps[0].appDirPath", "there is no folder")]
    [InlineData("version: 1\ncommon:\n  resourcesPaths: [./nothing]\napps:\n  - appDirPath: ./orders\n", 3, "common.resourcesPaths", "there is no folder")]
    [InlineData("version: 1\napps:\n  - appDirPath: ./orders\n    command: dotnet run\n", 4, "apps[0].command", "must be a list")]
    [InlineData("version: 1\napps:\n  - appDirPath: ./orders\n    enableAppHealthCheck: \"yes\"\n", 4, "apps[0].enableAppHealthCheck", "true or false")]
    [InlineData("version: 1\napps:\n  - appDirPath: ./orders\n    appProtocol: soap\n", 4, "apps[0].appProtocol", "one of http")]
    [InlineData("version: 1\napps:\n  - appDirPath: ./orders\n    maxBodySize: huge\n", 4, "apps[0].maxBodySize", "4Mi")]
    [InlineData("version: 1\napps:\n  - appDirPath: ./orders\n    env: [A, B]\n", 4, "apps[0].env", "mapping")]
    [InlineData("version: 1\napps:\n  - appDirPath: ./orders\n    appPort: 80\n  - appDirPath: ./web\n    appPort: 80\n", 6, "apps[1].appPort", "taken by apps[0].appPort (line 4)")]
    [InlineData("version: 1\napps:\n  - appDirPath: ./orders\n  - appID: orders\n    appDirPath: ./web\n", 1, "apps", "more than once")]
    public void What_is_wrong_is_named_with_its_line_and_field(string text, int line, string field, string problem)
    {
        var error = Assert.Throws<RunFileException>(() => Read(text)).Errors[0];

        Assert.Equal(("dapr.yaml", line, field), (error.File, error.Line, error.Field));
        Assert.Contains(problem, error.Problem, StringComparison.Ordinal);
    }

    [Fact]
    public void Broken_yaml_names_the_line()
    {
        var error = Assert.Throws<RunFileException>(() => Read("version: 1\napps:\n  - appDirPath: [\n")).Errors.Single();

        Assert.InRange(error.Line, 3, 4);
    }

    [Fact]
    public void Every_error_is_listed_not_only_the_first()
    {
        var errors = Assert.Throws<RunFileException>(() => Read("version: 1\napps:\n  - appDirPath: ./orders\n    appPort: x\n    colour: red\n")).Errors;

        Assert.Equal([4, 5], errors.Select(e => e.Line));
    }

    [Fact]
    public void An_error_in_the_common_section_is_said_once_however_many_apps_there_are() =>
        Assert.Single(Assert.Throws<RunFileException>(() => Read("version: 1\ncommon:\n  appMaxConcurrency: x\napps:\n  - appDirPath: ./orders\n  - appDirPath: ./web\n")).Errors);

    private RunFile Read(string text, int offset = 0)
    {
        var path = Path.Combine(_folder, "dapr.yaml");
        File.WriteAllText(path, text);
        return RunFileReader.Read(path, offset);
    }
}
