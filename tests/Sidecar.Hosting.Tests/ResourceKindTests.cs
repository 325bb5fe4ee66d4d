using DaprPlatform.Sidecar.Resources;
using Microsoft.Extensions.Logging.Abstractions;

namespace DaprPlatform.Sidecar.Hosting.Tests;

/// <summary>Resources of the kinds WorkflowAccessPolicy and MCPServer.</summary>
public sealed class ResourceKindTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("kinds-");

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public void A_workflow_access_policy_is_read_with_its_rules()
    {
        var policy = Assert.Single(Policies("""
            rules:
            - callers:
              - appID: web
              - appid: shop
              workflows:
              - name: Order*
                operations: [schedule, terminate]
                requires: [{eventType: activity, status: Completed, name: Check, appID: web}]
              activities:
              - name: Pay
            """));
        Assert.Equal("p", policy.Name);
        var rule = Assert.Single(policy.Rules);
        Assert.Equal(["web", "shop"], rule.Callers);
        var workflow = Assert.Single(rule.Workflows);
        Assert.Equal("Order*", workflow.Name);
        Assert.Equal(["schedule", "terminate"], workflow.Operations);
        Assert.Equal([new WorkflowAccessRequirement("activity", "Completed", "Check", "web")], workflow.Requires);
        Assert.Equal("Pay", Assert.Single(rule.Activities).Name);
    }

    [Theory]
    [InlineData("rules: [no]")]
    [InlineData("rules: [{callers: web}]")]
    [InlineData("rules: [{callers: [{appID: ''}]}]")]
    [InlineData("rules: [{callers: [{appID: a}], workflows: [{operations: [schedule]}]}]")]
    [InlineData("rules: [{callers: [{appID: a}], workflows: [{name: w, operations: [{}]}]}]")]
    [InlineData("rules: [{callers: [{appID: a}], activities: [{name: x, requires: [x]}]}]")]
    [InlineData("rules: 7")]
    public void A_malformed_workflow_access_policy_counts_and_allows_nothing(string spec) => Assert.Empty(Assert.Single(Policies(spec)).Rules);

    [Theory]
    [InlineData("endpoint: {streamableHTTP: {url: 'http://localhost:1/mcp'}}", McpTransport.StreamableHttp, "http://localhost:1/mcp")]
    [InlineData("endpoint: {sse: {url: 'https://tools/', timeout: 30s}}", McpTransport.Sse, "https://tools/")]
    [InlineData("endpoint: {stdio: {command: tools, args: [a]}}", McpTransport.Stdio, "tools")]
    internal void An_MCP_server_is_read_with_its_endpoint(string spec, McpTransport transport, string target)
    {
        var server = Assert.Single(McpServer.Load(Resources(McpServer.Kind, spec), NullLogger.Instance));
        Assert.Equal(("p", transport, target), (server.Name, server.Transport, server.Target));
    }

    [Theory]
    [InlineData("endpoint: {}")]
    [InlineData("catalog: {}")]
    [InlineData("endpoint: {sse: {url: 'http://a/'}, stdio: {command: b}}")]
    [InlineData("endpoint: {sse: {}}")]
    [InlineData("endpoint: {streamableHTTP: {url: 'ftp://a/'}}")]
    [InlineData("endpoint: {streamableHTTP: {url: 'http://a/', timeout: soon}}")]
    public void A_malformed_MCP_server_is_fatal_unless_its_errors_are_to_be_ignored(string spec)
    {
        Assert.Throws<ResourceException>(() => McpServer.Load(Resources(McpServer.Kind, spec), NullLogger.Instance));
        Assert.Empty(McpServer.Load(Resources(McpServer.Kind, spec + "\nignoreErrors: true"), NullLogger.Instance));
    }

    [Fact]
    public void A_policy_scoped_to_other_apps_is_not_loaded() => Assert.Empty(WorkflowAccessPolicy.Load(Resources(WorkflowAccessPolicy.Kind, "rules: []", "scopes: [other]"), NullLogger.Instance));

    private IReadOnlyList<WorkflowAccessPolicy> Policies(string spec) => WorkflowAccessPolicy.Load(Resources(WorkflowAccessPolicy.Kind, spec), NullLogger.Instance);

    private IReadOnlyList<Resource> Resources(string kind, string spec, string more = "")
    {
        File.WriteAllText(Path.Combine(_folder.FullName, "r.yaml"),
            $"apiVersion: dapr.io/v1alpha1\nkind: {kind}\nmetadata:\n  name: p\nspec:\n  {spec.ReplaceLineEndings("\n  ")}\n{more}\n");
        return new ResourceLoader(NullLogger<ResourceLoader>.Instance).Load([_folder.FullName], "app", null);
    }
}
