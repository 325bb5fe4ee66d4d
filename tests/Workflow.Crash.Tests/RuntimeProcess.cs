using System.Globalization;
using DaprPlatform.Sidecar.Hosting;

namespace DaprPlatform.Workflow.Crash.Tests;

/// <summary>The runtime that is killed: one sidecar on an engine in a folder.</summary>
internal static class RuntimeProcess
{
    public const string Command = "runtime";
    public const string AppId = "crash";

    /// <param name="arguments">Folder, type of the actor state store, gRPC port, HTTP port.</param>
    public static async Task<int> RunAsync(IReadOnlyList<string> arguments)
    {
        var (folder, store) = (arguments[0], arguments[1]);
        var resources = Path.Combine(folder, "resources");
        Directory.CreateDirectory(resources);
        var (name, value) = store == "state.sqlite" ? ("connectionString", Path.Combine(folder, "state.db")) : ("endpoints", "localhost:2379");
        await File.WriteAllTextAsync(Path.Combine(resources, "store.yaml"), $"""
            apiVersion: dapr.io/v1alpha1
            kind: Component
            metadata:
              name: store
            spec:
              type: {store}
              version: {(store == "state.etcd" ? "v2" : "v1")}
              metadata:
              - name: actorStateStore
                value: "true"
              - name: {name}
                value: "{value}"
            """);
        await using var engine = await Engine.OpenAsync(new EngineOptions { DataDirectory = Path.Combine(folder, "engine") });
        await using var sidecar = new DaprSidecar(engine, new SidecarOptions
        {
            AppId = AppId,
            GrpcPort = int.Parse(arguments[2], CultureInfo.InvariantCulture),
            HttpPort = int.Parse(arguments[3], CultureInfo.InvariantCulture),
            ListenAddresses = ["127.0.0.1"],
            EnableMetrics = false,
            PlacementHostAddress = "inside",
            SchedulerHostAddress = "inside",
            ResourcesPaths = [resources],
        });
        await sidecar.StartAsync();
        Console.WriteLine("ready");
        await sidecar.ShutdownRequested;
        return 0;
    }
}
