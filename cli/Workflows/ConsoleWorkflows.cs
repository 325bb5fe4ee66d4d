using System.Text.Json;
using System.Text.Json.Nodes;
using DaprPlatform.Cli.Control;
using DaprPlatform.Cli.OpsConsole;

namespace DaprPlatform.Cli.Workflows;

/// <summary>Acts through the console's API, so that what the command did is in the audit log as well. What the API does not offer goes to the sidecar.</summary>
/// <param name="client">Of the running stack.</param>
/// <param name="app">The app that hosts the instances.</param>
/// <param name="sidecar">The app's.</param>
internal sealed class ConsoleWorkflows(ControlClient client, string app, WorkflowService sidecar) : IWorkflowActions
{
    // Data that is no JSON can only be given to the sidecar: the API takes JSON.
    public Task RaiseAsync(string id, string name, string? data, CancellationToken cancel) => IsJson(data, out var node)
        ? ActAsync(id, "raise", new RaiseRequest(name, node), cancel)
        : sidecar.RaiseAsync(id, name, data, cancel);

    public Task TerminateAsync(string id, string? output, bool recursive, CancellationToken cancel) => recursive && IsJson(output, out var node)
        ? ActAsync(id, "terminate", new EndRequest(node), cancel)
        : sidecar.TerminateAsync(id, output, recursive, cancel);

    public Task SuspendAsync(string id, string? reason, CancellationToken cancel) => ActAsync(id, "suspend", new ReasonRequest(reason), cancel);

    public Task ResumeAsync(string id, string? reason, CancellationToken cancel) => ActAsync(id, "resume", new ReasonRequest(reason), cancel);

    public async Task<int> PurgeAsync(string id, bool force, CancellationToken cancel) => force
        ? await sidecar.PurgeAsync(id, force, cancel)
        : (await client.SendAsync<PurgeAnswer>(HttpMethod.Delete, PathOf(id), null, cancel))!.Removed;

    public async Task<string> RerunAsync(string id, uint eventId, string? newId, string? input, CancellationToken cancel) => IsJson(input, out var node)
        ? (await client.SendAsync<RerunAnswer>(HttpMethod.Post, $"{PathOf(id)}/rerun", new RerunRequest(eventId, newId, node), cancel))!.Id
        : await sidecar.RerunAsync(id, eventId, newId, input, cancel);

    // Nothing at all is JSON enough.
    private static bool IsJson(string? text, out JsonNode? node)
    {
        node = null;
        if (text is null)
            return true;
        try
        {
            node = JsonNode.Parse(text);
            return true;
        }
        catch (JsonException)
        {
            return false;
        }
    }

    private string PathOf(string id) => $"api/v1/workflows/{Uri.EscapeDataString(app)}/{Uri.EscapeDataString(id)}";

    private Task ActAsync(string id, string verb, object body, CancellationToken cancel) => client.SendAsync<JsonElement>(HttpMethod.Post, $"{PathOf(id)}/{verb}", body, cancel);
}
