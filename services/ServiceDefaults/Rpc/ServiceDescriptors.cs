using System.Reflection;
using Google.Protobuf.Reflection;
using Grpc.AspNetCore.Server;
using Microsoft.AspNetCore.Routing;

namespace DaprPlatform.ServiceDefaults.Rpc;

internal static class ServiceDescriptors
{
    /// <summary>The gRPC services that are mapped, as their generated code describes them.</summary>
    public static IReadOnlyList<ServiceDescriptor> Of(EndpointDataSource endpoints) =>
    [
        .. endpoints.Endpoints.Select(e => e.Metadata.GetMetadata<GrpcMethodMetadata>()?.ServiceType).OfType<Type>().Distinct()
            .Select(DescriptorOf).OfType<ServiceDescriptor>().DistinctBy(s => s.FullName).OrderBy(s => s.FullName, StringComparer.Ordinal),
    ];

    // A service derives from the nested base class that is generated into the class of its definition.
    private static ServiceDescriptor? DescriptorOf(Type service)
    {
        for (var type = service.BaseType; type is not null; type = type.BaseType)
            if (type.DeclaringType?.GetProperty("Descriptor", BindingFlags.Public | BindingFlags.Static)?.GetValue(null) is ServiceDescriptor descriptor)
                return descriptor;
        return null;
    }
}
