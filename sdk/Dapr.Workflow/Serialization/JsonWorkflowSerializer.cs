using System.Text.Json;
using Dapr.Common.Serialization;

namespace Dapr.Workflow.Serialization;

/// <summary>JSON as for the web, with fields.</summary>
public sealed class JsonWorkflowSerializer : JsonDaprSerializer, IWorkflowSerializer
{
    public JsonWorkflowSerializer()
    {
    }

    public JsonWorkflowSerializer(JsonSerializerOptions options) : base(options)
    {
    }
}
